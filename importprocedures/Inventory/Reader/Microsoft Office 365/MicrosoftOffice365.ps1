<#
.SYNOPSIS
Reads licences and users of a Microsoft 365 tenant with the cmdlets of the module MSOnline, which is retired.

.DESCRIPTION
The functions of beacon-bridge's own reader folder "Microsoft Office 365", the deprecated one. Microsoft retired
MSOnline as of 2025-05-30, so that these functions say what is missing and end; the reader folder "Microsoft 365" is
the way on (docs/migration.md). Each row function signs in, then emits one object a row while the cmdlets answer.

Nothing of MSOnline is touched while this script is loaded: whoever calls a function hears why it fails.

Runs on Windows PowerShell 5.1 and PowerShell 7. docs/readers.md describes the rows.

.EXAMPLE
. ./MicrosoftOffice365.ps1; Get-MicrosoftOffice365Subscription -UserName admin@contoso.example -Password $password

Shows one object for each product the tenant subscribes to, or throws what is wrong.
#>

[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor
    [Net.SecurityProtocolType]::Tls12

# --- what the reader folder names ---

function Test-MicrosoftOffice365Connection {
    <#
    .SYNOPSIS
    Returns OK when MSOnline is there, takes the sign-in and shows a tenant; throws what is wrong otherwise.

    .EXAMPLE
    Test-MicrosoftOffice365Connection -UserName admin@contoso.example -Password $password
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory)][string]$UserName, [Parameter(Mandatory)][string]$Password)
    Set-StrictMode -Version 2
    Connect-MicrosoftOffice365 $UserName $Password
    'OK'
}

function Get-MicrosoftOffice365Subscription {
    <#
    .SYNOPSIS
    Emits one object for each product (account SKU) that the tenant subscribes to, with its units.

    .EXAMPLE
    Get-MicrosoftOffice365Subscription -UserName admin@contoso.example -Password $password
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory)][string]$UserName, [Parameter(Mandatory)][string]$Password)
    Set-StrictMode -Version 2
    Connect-MicrosoftOffice365 $UserName $Password
    Get-MsolAccountSku -ErrorAction Stop | ForEach-Object -Process {
        [pscustomobject]@{
            AccountSkuId  = $_.AccountSkuId
            SkuId         = $_.SkuId
            SkuPartNumber = $_.SkuPartNumber
            AccountName   = $_.AccountName
            Enabled       = $_.ActiveUnits
            Warning       = $_.WarningUnits
            Suspended     = $_.SuspendedUnits
            LockedOut     = $_.LockedOutUnits
            ConsumedUnits = $_.ConsumedUnits
        }
    }
}

function Get-MicrosoftOffice365ServicePlan {
    <#
    .SYNOPSIS
    Emits one object for each service plan of each product.

    .EXAMPLE
    Get-MicrosoftOffice365ServicePlan -UserName admin@contoso.example -Password $password
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory)][string]$UserName, [Parameter(Mandatory)][string]$Password)
    Set-StrictMode -Version 2
    Connect-MicrosoftOffice365 $UserName $Password
    Get-MsolAccountSku -ErrorAction Stop | ForEach-Object -Process {
        foreach ($status in $_.ServiceStatus) {
            [pscustomobject]@{
                SkuId              = $_.SkuId
                ServicePlanId      = $status.ServicePlan.ServicePlanId
                ServicePlanName    = $status.ServicePlan.ServiceName
                ProvisioningStatus = $status.ProvisioningStatus
            }
        }
    }
}

function Get-MicrosoftOffice365CommerceSubscription {
    <#
    .SYNOPSIS
    Emits one object for each subscription that was bought.

    .EXAMPLE
    Get-MicrosoftOffice365CommerceSubscription -UserName admin@contoso.example -Password $password
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory)][string]$UserName, [Parameter(Mandatory)][string]$Password)
    Set-StrictMode -Version 2
    Connect-MicrosoftOffice365 $UserName $Password
    Get-MsolSubscription -ErrorAction Stop | ForEach-Object -Process {
        [pscustomobject]@{
            SubscriptionId         = $_.ObjectId
            CommerceSubscriptionId = $_.OcpSubscriptionId
            SkuId                  = $_.SkuId
            SkuPartNumber          = $_.SkuPartNumber
            Status                 = $_.Status
            IsTrial                = $_.IsTrial
            TotalLicenses          = $_.TotalLicenses
            CreatedDateTime        = ConvertTo-MicrosoftOffice365Moment $_.DateCreated
            NextLifecycleDateTime  = ConvertTo-MicrosoftOffice365Moment $_.NextLifecycleDate
        }
    }
}

function Get-MicrosoftOffice365User {
    <#
    .SYNOPSIS
    Emits one object for each user of the tenant, guests and blocked accounts included.

    .EXAMPLE
    Get-MicrosoftOffice365User -UserName admin@contoso.example -Password $password
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory)][string]$UserName, [Parameter(Mandatory)][string]$Password)
    Set-StrictMode -Version 2
    Connect-MicrosoftOffice365 $UserName $Password
    Get-MsolUser -All -ErrorAction Stop | ForEach-Object -Process {
        $enabled = $null
        if ($null -ne $_.BlockCredential) { $enabled = -not $_.BlockCredential }
        [pscustomobject]@{
            UserId                     = $_.ObjectId
            UserPrincipalName          = $_.UserPrincipalName
            ProxyAddresses             = Join-MicrosoftOffice365Text $_.ProxyAddresses $null
            DisplayName                = $_.DisplayName
            GivenName                  = $_.FirstName
            Surname                    = $_.LastName
            AccountEnabled             = $enabled
            UserType                   = $_.UserType
            CreatedDateTime            = ConvertTo-MicrosoftOffice365Moment $_.WhenCreated
            Country                    = $_.Country
            Department                 = $_.Department
            UsageLocation              = $_.UsageLocation
            OnPremisesImmutableId      = $_.ImmutableId
            OnPremisesLastSyncDateTime = ConvertTo-MicrosoftOffice365Moment $_.LastDirSyncTime
        }
    }
}

function Get-MicrosoftOffice365Assignment {
    <#
    .SYNOPSIS
    Emits one object for each way in which a user has a product: directly, or by a group.

    .EXAMPLE
    Get-MicrosoftOffice365Assignment -UserName admin@contoso.example -Password $password
    #>
    [CmdletBinding()]
    param([Parameter(Mandatory)][string]$UserName, [Parameter(Mandatory)][string]$Password)
    Set-StrictMode -Version 2
    Connect-MicrosoftOffice365 $UserName $Password
    $skus = @{}
    Get-MsolAccountSku -ErrorAction Stop | ForEach-Object -Process { $skus[$_.AccountSkuId] = $_.SkuId }
    Get-MsolUser -All -ErrorAction Stop | ForEach-Object -Process {
        $user = $_
        foreach ($license in $user.Licenses) {
            $disabled = foreach ($status in $license.ServiceStatus) {
                if ([string]$status.ProvisioningStatus -eq 'Disabled') { $status.ServicePlan.ServicePlanId }
            }
            foreach ($group in @(Get-MicrosoftOffice365Source $user $license)) {
                [pscustomobject]@{
                    UserId          = $user.ObjectId
                    SkuId           = $skus[$license.AccountSkuId]
                    AccountSkuId    = $license.AccountSkuId
                    AssignedByGroup = $group
                    DisabledPlans   = Join-MicrosoftOffice365Text $disabled ''
                }
            }
        }
    }
}

# --- the sign-in, and whether there is a tenant behind it ---

function Connect-MicrosoftOffice365([string]$UserName, [string]$Password) {
    # Signs in. What MSOnline's retirement looks like is an error here, never an empty table: the module is missing,
    # the sign-in is refused, or everything that is asked for is empty.
    try { Import-Module -Name MSOnline -ErrorAction Stop -Verbose:$false }
    catch {
        if (-not (Get-Module -Name MSOnline -ListAvailable -Verbose:$false)) {
            throw 'the PowerShell module MSOnline is not on this machine'
        }
        throw "the PowerShell module MSOnline cannot be loaded: $($_.Exception.Message)"
    }
    $secret = ConvertTo-SecureString -String $Password -AsPlainText -Force
    $credential = New-Object -TypeName System.Management.Automation.PSCredential -ArgumentList $UserName, $secret
    try { Connect-MsolService -Credential $credential -ErrorAction Stop }
    catch { throw "Connect-MsolService was refused: $($_.Exception.Message) [$($_.FullyQualifiedErrorId)]" }
    if (@(Get-MsolAccountSku -ErrorAction Stop).Count) { return }
    if (@(Get-MsolUser -MaxResults 1 -ErrorAction Stop).Count) { return }
    throw 'MSOnline took the sign-in and then showed an empty world: no account SKU and no user'
}

# --- values ---

function Get-MicrosoftOffice365Source($User, $License) {
    # The groups that give a licence; null for a direct one. The list has the user's own id for a direct assignment
    # beside groups, is empty where no group ever gave this licence, and is missing in older versions of the module.
    $list = $License.psobject.Properties['GroupsAssigningLicense']
    $ids = @()
    if ($null -ne $list -and $null -ne $list.Value) { $ids = @($list.Value) }
    if ($ids.Count -eq 0) { return $null }
    foreach ($id in $ids) { if ([string]$id -eq [string]$User.ObjectId) { $null } else { $id } }
}

function Join-MicrosoftOffice365Text($Values, $None) {
    # The values in order, joined by semicolons; $None where there are none.
    $texts = [string[]]@(foreach ($value in $Values) { if ($null -ne $value) { [string]$value } })
    if ($texts.Length -eq 0) { return $None }
    [Array]::Sort($texts, [StringComparer]::Ordinal)
    $texts -join ';'
}

function ConvertTo-MicrosoftOffice365Moment($Value) {
    # yyyy-MM-ddTHH:mm:ss[.f]Z. MSOnline's moments are UTC, also where they do not say so.
    if ($null -eq $Value) { return $null }
    $moment = [DateTime]$Value
    if ($moment.Kind -eq [DateTimeKind]::Local) { $moment = $moment.ToUniversalTime() }
    $moment.ToString('yyyy-MM-ddTHH:mm:ss.FFFFFFF', [Globalization.CultureInfo]::InvariantCulture) + 'Z'
}
