<#
.SYNOPSIS
Reads licences, users and usage of a Microsoft 365 tenant from Microsoft Graph: the functions of the steps.

.DESCRIPTION
The functions that beacon-bridge's own reader folder "Microsoft 365" names. Each emits one object a row while the
pages of the answer arrive; nothing is kept but the page at hand. What they need stands in Graph.ps1 (HTTP, pages),
Csv.ps1, Usage.ps1 (reports) and Names.ps1 (names for people).

What is left out is told as a warning that begins with "gap NAME: ". An error that begins with "restart: " asks for
the step to be run again from its beginning.

Runs on Windows PowerShell 5.1 and PowerShell 7. docs/readers.md describes the rows.

.EXAMPLE
foreach ($name in 'Graph', 'Csv', 'Names', 'Usage', 'Microsoft365') { . "./$name.ps1" }
Get-Microsoft365Subscription -GraphRoot https://graph.microsoft.com -AccessToken $token

Shows one object for each product the tenant subscribes to.
#>

# --- the connection ---

function Test-Microsoft365Connection {
    <#
    .SYNOPSIS
    Returns OK when Microsoft Graph answers and takes the token; throws what is wrong otherwise.

    .EXAMPLE
    Test-Microsoft365Connection -GraphRoot https://graph.microsoft.com -AccessToken $token
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$GraphRoot,
        [Parameter(Mandatory)][AllowEmptyString()][string]$AccessToken
    )
    Set-StrictMode -Version 2
    $graph = New-Microsoft365Session $GraphRoot $AccessToken
    Get-Microsoft365Page $graph '/subscribedSkus?$select=skuId' 'LicenseAssignment.Read.All' | Out-Null
    'OK'
}

function Get-Microsoft365Version {
    <#
    .SYNOPSIS
    Returns an object whose property Version is the version of the source: 1.0, that of Microsoft Graph.

    .EXAMPLE
    (Get-Microsoft365Version -GraphRoot https://graph.microsoft.com).Version
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory)][string]$GraphRoot)
    Set-StrictMode -Version 2
    [void](Get-Microsoft365Base $GraphRoot)
    New-Object -TypeName PSObject -Property @{ Version = '1.0' }
}

# --- the tenant ---

function Get-Microsoft365Control {
    <#
    .SYNOPSIS
    Emits how many users there are, and how many of them are licensed, each with the moment of the answer.

    .DESCRIPTION
    The first step and the last: what is read between them can be held against these numbers.

    .EXAMPLE
    Get-Microsoft365Control -GraphRoot https://graph.microsoft.com -AccessToken $token
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$GraphRoot,
        [Parameter(Mandatory)][AllowEmptyString()][string]$AccessToken
    )
    Set-StrictMode -Version 2
    $graph = New-Microsoft365Session $GraphRoot $AccessToken
    Get-Microsoft365Count $graph 'User' '/users/$count'
    Get-Microsoft365Count $graph 'LicensedUser' '/users/$count?$filter=assignedLicenses/$count%20ne%200&$count=true'
}

function Get-Microsoft365Count($Graph, [string]$Entity, [string]$Call) {
    # One number with its moment. Not every cloud counts licensed users.
    $answer = Invoke-Microsoft365Request $Graph ($Graph['Base'] + $Call) @{ ConsistencyLevel = 'eventual' }
    if ($Entity -ne 'User' -and $answer['Status'] -in 400, 404) {
        Write-Verbose "fact: $Entity is not counted by this cloud"
        return
    }
    Confirm-Microsoft365Answer $answer 'User.Read.All'
    $count = 0
    if ($answer['Text'] -notmatch '^\s*[0-9]+\s*\z' -or -not [int]::TryParse($answer['Text'], [ref]$count)) {
        throw "Microsoft Graph answered without a number for $Entity"
    }
    $moment = ConvertFrom-Microsoft365HttpDate $answer['Date']
    $invariant = [System.Globalization.CultureInfo]::InvariantCulture
    if ($null -ne $moment) { $moment = $moment.ToString('s', $invariant) + 'Z' }
    [pscustomobject]@{ Entity = $Entity; Moment = $moment; Count = $count }
}

function Get-Microsoft365Organization {
    <#
    .SYNOPSIS
    Emits one object for the tenant itself: its names, its domains, its country.

    .EXAMPLE
    Get-Microsoft365Organization -GraphRoot https://graph.microsoft.com -AccessToken $token
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$GraphRoot,
        [Parameter(Mandatory)][AllowEmptyString()][string]$AccessToken
    )
    Set-StrictMode -Version 2
    $graph = New-Microsoft365Session $GraphRoot $AccessToken
    $call = '/organization?$select=id,displayName,verifiedDomains,countryLetterCode,tenantType,createdDateTime'
    Get-Microsoft365Page $graph $call 'Organization.Read.All' 'organization' -Of 'organizations' |
        ForEach-Object -Process {
        foreach ($item in $_) {
            $texts = 'displayName', 'countryLetterCode', 'tenantType'
            foreach ($name in $texts + 'verifiedDomains' + 'createdDateTime') {
                if ($null -ne $item.psobject.Properties[$name]) { continue }
                Add-Member -InputObject $item -MemberType NoteProperty -Name $name -Value $null
            }
            Clear-Microsoft365Mark $item (@('id') + $texts)
            if ($null -ne $item.verifiedDomains) { Confirm-Microsoft365Part $item 'verifiedDomains' }
            [pscustomobject]@{
                TenantId          = $item.id
                DisplayName       = $item.displayName
                DefaultDomain     = Find-Microsoft365Domain $item.verifiedDomains 'isDefault'
                InitialDomain     = Find-Microsoft365Domain $item.verifiedDomains 'isInitial'
                CountryLetterCode = $item.countryLetterCode
                TenantType        = $item.tenantType
                CreatedDateTime   = ConvertFrom-Microsoft365Moment $item.createdDateTime 'createdDateTime'
            }
        }
    }
}

function Find-Microsoft365Domain($Domains, [string]$Flag) {
    # The name of the first verified domain that has the flag.
    foreach ($domain in $Domains) {
        $has = Get-Microsoft365Value $domain $Flag
        if ($has -isnot [bool] -or -not $has) { continue }
        $name = Get-Microsoft365Value $domain 'name'
        if ($null -ne $name -and $name -isnot [string]) { Stop-Microsoft365Value 'name' $name 'a text' }
        return $name
    }
}

# --- what the tenant bought ---

function Get-Microsoft365Subscription {
    <#
    .SYNOPSIS
    Emits one object for each product (SKU) that the tenant subscribes to, with its units.

    .EXAMPLE
    Get-Microsoft365Subscription -GraphRoot https://graph.microsoft.com -AccessToken $token
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$GraphRoot,
        [Parameter(Mandatory)][AllowEmptyString()][string]$AccessToken,
        [string]$ProductNames = ''
    )
    Set-StrictMode -Version 2
    $graph = New-Microsoft365Session $GraphRoot $AccessToken
    $products = (Read-Microsoft365Names $ProductNames)['Products']
    $call = '/subscribedSkus?$select=skuId,skuPartNumber,accountId,accountName,appliesTo,capabilityStatus,' +
        'consumedUnits,prepaidUnits,subscriptionIds'
    Get-Microsoft365Page $graph $call 'LicenseAssignment.Read.All' -Of 'products' | ForEach-Object -Process {
        foreach ($sku in $_) {
            Clear-Microsoft365Mark $sku @('skuId', 'skuPartNumber', 'accountId', 'accountName', 'appliesTo',
                'capabilityStatus')
            $units = $sku.prepaidUnits
            if ($units -isnot [System.Management.Automation.PSCustomObject]) { throw 'there is no prepaidUnits' }
            Confirm-Microsoft365Number $units @('enabled', 'warning', 'suspended', 'lockedOut')
            Confirm-Microsoft365Number $sku @('consumedUnits')
            [pscustomobject]@{
                SkuId            = $sku.skuId
                SkuPartNumber    = $sku.skuPartNumber
                ProductName      = Get-Microsoft365Name $products $sku.skuId $sku.skuPartNumber
                AccountId        = $sku.accountId
                AccountName      = $sku.accountName
                AppliesTo        = $sku.appliesTo
                CapabilityStatus = $sku.capabilityStatus
                Enabled          = $units.enabled
                Warning          = $units.warning
                Suspended        = $units.suspended
                LockedOut        = $units.lockedOut
                ConsumedUnits    = $sku.consumedUnits
                SubscriptionIds  = Join-Microsoft365Text $sku.subscriptionIds 'subscriptionIds'
            }
        }
    }
}

function Get-Microsoft365ServicePlan {
    <#
    .SYNOPSIS
    Emits one object for each service plan of each product that the tenant subscribes to.

    .EXAMPLE
    Get-Microsoft365ServicePlan -GraphRoot https://graph.microsoft.com -AccessToken $token
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$GraphRoot,
        [Parameter(Mandatory)][AllowEmptyString()][string]$AccessToken,
        [string]$ProductNames = ''
    )
    Set-StrictMode -Version 2
    $graph = New-Microsoft365Session $GraphRoot $AccessToken
    $plans = (Read-Microsoft365Names $ProductNames)['Plans']
    $call = '/subscribedSkus?$select=skuId,skuPartNumber,servicePlans'
    Get-Microsoft365Page $graph $call 'LicenseAssignment.Read.All' -Of 'products' | ForEach-Object -Process {
        foreach ($sku in $_) {
            Clear-Microsoft365Mark $sku @('skuId')
            Confirm-Microsoft365Part $sku 'servicePlans'
            foreach ($plan in $sku.servicePlans) {
                Clear-Microsoft365Mark $plan @('servicePlanId', 'servicePlanName', 'appliesTo', 'provisioningStatus')
                [pscustomobject]@{
                    SkuId              = $sku.skuId
                    ServicePlanId      = $plan.servicePlanId
                    ServicePlanName    = $plan.servicePlanName
                    PlanName           = Get-Microsoft365Name $plans $plan.servicePlanId $plan.servicePlanName
                    AppliesTo          = $plan.appliesTo
                    ProvisioningStatus = $plan.provisioningStatus
                }
            }
        }
    }
}

function Get-Microsoft365CommerceSubscription {
    <#
    .SYNOPSIS
    Emits one object for each subscription as it was bought: its state, its licences, its next renewal.

    .EXAMPLE
    Get-Microsoft365CommerceSubscription -GraphRoot https://graph.microsoft.com -AccessToken $token
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$GraphRoot,
        [Parameter(Mandatory)][AllowEmptyString()][string]$AccessToken
    )
    Set-StrictMode -Version 2
    $graph = New-Microsoft365Session $GraphRoot $AccessToken
    $call = '/directory/subscriptions'
    Get-Microsoft365Page $graph $call 'Organization.Read.All' 'commerce-subscriptions' -Of 'subscriptions' |
        ForEach-Object -Process {
        foreach ($bought in $_) {
            Clear-Microsoft365Mark $bought @('id', 'commerceSubscriptionId', 'skuId', 'skuPartNumber', 'status',
                'ownerType', 'ownerTenantId')
            Confirm-Microsoft365Flag $bought 'isTrial'
            Confirm-Microsoft365Number $bought @('totalLicenses')
            $next = $bought.nextLifecycleDateTime
            [pscustomobject]@{
                SubscriptionId         = $bought.id
                CommerceSubscriptionId = $bought.commerceSubscriptionId
                SkuId                  = $bought.skuId
                SkuPartNumber          = $bought.skuPartNumber
                Status                 = $bought.status
                IsTrial                = $bought.isTrial
                TotalLicenses          = $bought.totalLicenses
                CreatedDateTime        = ConvertFrom-Microsoft365Moment $bought.createdDateTime 'createdDateTime'
                NextLifecycleDateTime  = ConvertFrom-Microsoft365Moment $next 'nextLifecycleDateTime'
                OwnerType              = $bought.ownerType
                OwnerTenantId          = $bought.ownerTenantId
            }
        }
    }
}

# --- what the tenant uses ---

function Get-Microsoft365Usage {
    <#
    .SYNOPSIS
    Emits one object for each row of Microsoft's usage reports.

    .EXAMPLE
    Get-Microsoft365Usage -GraphRoot https://graph.microsoft.com -AccessToken $token -Period D90
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$GraphRoot,
        [Parameter(Mandatory)][AllowEmptyString()][string]$AccessToken,
        [string]$Reports = '',
        [string]$Period = '',
        [string]$ReportHosts = ''
    )
    Set-StrictMode -Version 2
    $asked = @(Select-Microsoft365Report $Reports)
    $days = Confirm-Microsoft365Period $Period
    if (-not $asked.Count) { return }
    $graph = New-Microsoft365Session $GraphRoot $AccessToken
    if (Test-Microsoft365Concealed $graph) {
        Write-Warning ("gap concealed: the tenant's setting displayConcealedNames is on: usage reports hide who " +
            "used what. $Microsoft365Switch")
    }
    foreach ($report in $asked) {
        $file = Open-Microsoft365File
        try {
            $answer = Save-Microsoft365Report $graph $report $days $ReportHosts $file
            if ($answer['Status'] -eq 403) {
                Write-Warning "gap usage: Reports.Read.All is missing: $($answer['Said'])"
                return
            }
            if ($answer['Status'] -eq 404 -or ($answer['Status'] -eq 400 -and $report['Retired'])) {
                Write-Microsoft365Absence $report
                continue
            }
            Confirm-Microsoft365Answer $answer 'Reports.Read.All'
            Read-Microsoft365Report $report $days $file $answer['Packing']
        } finally { $file.Dispose() }
    }
}

# --- who may use it ---

# A moment as it nearly always comes, with its mark: what is no such thing is looked at closely.
$Microsoft365Plain = New-Object -TypeName System.Text.RegularExpressions.Regex -ArgumentList @(
    '^#[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\z', 'CultureInvariant')

function Get-Microsoft365User {
    <#
    .SYNOPSIS
    Emits one object for each user of the tenant, guests and disabled accounts included.

    .DESCRIPTION
    A page holds 500 users, which with all their addresses nearly always stays below 2,097,152 characters, the most
    that ConvertFrom-Json takes in Windows PowerShell; fewer if one was longer. What stands out of the ordinary alone costs a function call.

    .EXAMPLE
    Get-Microsoft365User -GraphRoot https://graph.microsoft.com -AccessToken $token
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$GraphRoot,
        [Parameter(Mandatory)][AllowEmptyString()][string]$AccessToken
    )
    Set-StrictMode -Version 2
    $graph = New-Microsoft365Session $GraphRoot $AccessToken
    $ordinal = [StringComparer]::Ordinal
    $call = '/users?$select=id,userPrincipalName,mail,proxyAddresses,otherMails,displayName,givenName,surname,' +
        'accountEnabled,userType,createdDateTime,country,department,usageLocation,onPremisesImmutableId,' +
        'onPremisesLastSyncDateTime&$top=500'
    Get-Microsoft365Page $graph $call 'User.Read.All' -Of 'users' | ForEach-Object -Process {
        foreach ($user in $_) {
            foreach ($name in 'userPrincipalName', 'mail', 'displayName', 'givenName', 'surname', 'country',
                'department', 'usageLocation', 'onPremisesImmutableId', 'userType') {
                $text = $user.$name
                if ($null -eq $text) { continue }
                if ($text -isnot [string]) { Stop-Microsoft365Value $name $text 'a text' }
                if ($text.Length -and $text[0] -eq '#') { $user.$name = $text.Substring(1) }
            }
            $enabled = $user.accountEnabled
            if ($null -ne $enabled -and $enabled -isnot [bool]) { Confirm-Microsoft365Flag $user 'accountEnabled' }
            foreach ($name in 'createdDateTime', 'onPremisesLastSyncDateTime') {
                $moment = $user.$name
                if ($null -eq $moment) { continue }
                if ($moment -is [string] -and $Microsoft365Plain.IsMatch($moment)) {
                    $user.$name = $moment.Substring(1)
                } else { $user.$name = ConvertFrom-Microsoft365Moment $moment $name }
            }
            foreach ($name in 'proxyAddresses', 'otherMails') {
                $list = $user.$name
                if ($null -eq $list) { continue }
                if ($list -isnot [array]) { Stop-Microsoft365Value $name $list 'a list of texts' }
                foreach ($text in $list) {
                    if ($text -isnot [string]) { Stop-Microsoft365Value $name $list 'a list of texts' }
                }
                $sorted = [string[]]$list
                [Array]::Sort($sorted, $ordinal)
                $joined = $sorted -join ';'
                if ($joined.IndexOf('#') -ge 0) { $joined = Join-Microsoft365Text $list $name }
                $user.$name = if ($joined) { $joined } else { $null }
            }
            [pscustomobject]@{
                UserId                     = $user.id
                UserPrincipalName          = $user.userPrincipalName
                Mail                       = $user.mail
                ProxyAddresses             = $user.proxyAddresses
                OtherMails                 = $user.otherMails
                DisplayName                = $user.displayName
                GivenName                  = $user.givenName
                Surname                    = $user.surname
                AccountEnabled             = $enabled
                UserType                   = $user.userType
                CreatedDateTime            = $user.createdDateTime
                Country                    = $user.country
                Department                 = $user.department
                UsageLocation              = $user.usageLocation
                OnPremisesImmutableId      = $user.onPremisesImmutableId
                OnPremisesLastSyncDateTime = $user.onPremisesLastSyncDateTime
            }
        }
    }
}

function Get-Microsoft365Assignment {
    <#
    .SYNOPSIS
    Emits one object for each way in which a user has a product: directly, or by a group.

    .DESCRIPTION
    A page holds 100 users: with their assignments it stays well below 2,097,152 characters, the most that
    ConvertFrom-Json takes in Windows PowerShell.

    .EXAMPLE
    Get-Microsoft365Assignment -GraphRoot https://graph.microsoft.com -AccessToken $token
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$GraphRoot,
        [Parameter(Mandatory)][AllowEmptyString()][string]$AccessToken
    )
    Set-StrictMode -Version 2
    $graph = New-Microsoft365Session $GraphRoot $AccessToken
    $call = '/users?$select=id,licenseAssignmentStates&$top=100'
    Get-Microsoft365Page $graph $call 'User.Read.All' -Of 'users' | ForEach-Object -Process {
        foreach ($user in $_) {
            $states = $user.licenseAssignmentStates
            if ($states -isnot [array]) { Confirm-Microsoft365Part $user 'licenseAssignmentStates' }
            foreach ($state in $states) {
                if ($state -isnot [System.Management.Automation.PSCustomObject]) {
                    Confirm-Microsoft365Part $user 'licenseAssignmentStates'
                }
                $plans = $state.disabledPlans
                if ($plans -is [array] -and -not $plans.Length) { $plans = '' }
                elseif ($null -ne $plans) { $plans = Join-Microsoft365Text $plans 'disabledPlans' }
                foreach ($text in $state.skuId, $state.assignedByGroup, $state.state) {
                    if ($null -eq $text) { continue }
                    if ($text -isnot [string] -or ($text.Length -and $text[0] -eq '#')) {
                        Clear-Microsoft365Mark $state @('skuId', 'assignedByGroup', 'state')
                        break
                    }
                }
                [pscustomobject]@{
                    UserId          = $user.id
                    SkuId           = $state.skuId
                    AssignedByGroup = $state.assignedByGroup
                    State           = $state.state
                    DisabledPlans   = $plans
                }
            }
        }
    }
}

function Get-Microsoft365SignIn {
    <#
    .SYNOPSIS
    Emits one object for each user, with the last sign-ins; null where there was none.

    .EXAMPLE
    Get-Microsoft365SignIn -GraphRoot https://graph.microsoft.com -AccessToken $token
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)][string]$GraphRoot,
        [Parameter(Mandatory)][AllowEmptyString()][string]$AccessToken,
        [string]$SignIns = ''
    )
    Set-StrictMode -Version 2
    if ($SignIns.Trim() -notin '', 'yes', 'no') { throw "SignIns is '$SignIns', expected yes or no" }
    if ($SignIns.Trim() -eq 'no') { Write-Verbose 'fact: sign-ins are not read, as SignIns says'; return }
    $graph = New-Microsoft365Session $GraphRoot $AccessToken
    $needed = 'AuditLog.Read.All or an Entra ID P1 licence'
    $call = '/users?$select=id,signInActivity&$top=500'
    Get-Microsoft365Page $graph $call $needed 'sign-ins' -Of 'users' | ForEach-Object -Process {
        foreach ($user in $_) {
            $dates = @{}
            $found = $user.psobject.Properties['signInActivity']
            if ($null -ne $found -and $null -ne $found.Value) {
                if ($found.Value -isnot [System.Management.Automation.PSCustomObject]) {
                    throw 'signInActivity is no object'
                }
                foreach ($name in 'lastSignInDateTime', 'lastNonInteractiveSignInDateTime',
                    'lastSuccessfulSignInDateTime') {
                    $there = $found.Value.psobject.Properties[$name]
                    if ($null -eq $there -or $null -eq $there.Value) { continue }
                    $moment = $there.Value
                    if ($moment -isnot [string] -or -not $Microsoft365Plain.IsMatch($moment)) {
                        $dates[$name] = ConvertFrom-Microsoft365Moment $moment $name
                    } elseif ($moment -cne '#0001-01-01T00:00:00Z') { $dates[$name] = $moment.Substring(1) }
                }
            }
            [pscustomobject]@{
                UserId                           = $user.id
                LastSignInDateTime               = $dates['lastSignInDateTime']
                LastNonInteractiveSignInDateTime = $dates['lastNonInteractiveSignInDateTime']
                LastSuccessfulSignInDateTime     = $dates['lastSuccessfulSignInDateTime']
            }
        }
    }
}
