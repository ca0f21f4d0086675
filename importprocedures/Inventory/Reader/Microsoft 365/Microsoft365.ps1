<#
.SYNOPSIS
Reads licences and users of a Microsoft 365 tenant from Microsoft Graph v1.0.

.DESCRIPTION
The functions of beacon-bridge's own reader folder "Microsoft 365". Each row function emits one object a row while
the pages of the answer arrive; nothing is kept but the page at hand.

The access token is the parameter AccessToken or, where that is empty or refused, what the variable BridgeToken
gives; BridgeToken is asked again while the pages come, and gives another token before one ends. The token travels
in the Authorization header only, and only to the host of GraphRoot.

The proxy is that of the environment variables HTTPS_PROXY and NO_PROXY, or the account's where they are not set.

Runs on Windows PowerShell 5.1 and PowerShell 7. docs/readers.md describes the rows.

.EXAMPLE
. ./Microsoft365.ps1; Get-Microsoft365Subscription -GraphRoot https://graph.microsoft.com -AccessToken $token

Shows one object for each product the tenant subscribes to.
#>

[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor
    [Net.SecurityProtocolType]::Tls12

$Microsoft365Limits = @{
    TimeoutSec  = 100     # of one request
    Attempts    = 10      # of one request, the first included
    Unanswered  = 4       # attempts where nothing answers at all
    WaitSeconds = 900     # altogether for one request
    LongestWait = 60      # where Graph does not say how long
    AskSeconds  = 60      # between two questions for a token that is still good
}

# --- what the reader folder names ---

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
    Get-Microsoft365Item $graph '/subscribedSkus?$select=skuId' | Out-Null
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
        [Parameter(Mandatory)][AllowEmptyString()][string]$AccessToken
    )
    Set-StrictMode -Version 2
    $graph = New-Microsoft365Session $GraphRoot $AccessToken
    $call = '/subscribedSkus?$select=skuId,skuPartNumber,appliesTo,capabilityStatus,consumedUnits,prepaidUnits'
    Get-Microsoft365Item $graph $call | ForEach-Object -Process {
        [pscustomobject]@{
            SkuId            = $_.skuId
            SkuPartNumber    = $_.skuPartNumber
            AppliesTo        = $_.appliesTo
            CapabilityStatus = $_.capabilityStatus
            Enabled          = $_.prepaidUnits.enabled
            Warning          = $_.prepaidUnits.warning
            Suspended        = $_.prepaidUnits.suspended
            LockedOut        = $_.prepaidUnits.lockedOut
            ConsumedUnits    = $_.consumedUnits
        }
    }
}

function Get-Microsoft365User {
    <#
    .SYNOPSIS
    Emits one object for each user of the tenant, guests and disabled accounts included.

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
    $call = '/users?$select=id,userPrincipalName,mail,displayName,accountEnabled,userType,createdDateTime,' +
        'country,department,usageLocation&$top=999'
    Get-Microsoft365Item $graph $call | ForEach-Object -Process {
        [pscustomobject]@{
            UserId            = $_.id
            UserPrincipalName = $_.userPrincipalName
            Mail              = $_.mail
            DisplayName       = $_.displayName
            AccountEnabled    = $_.accountEnabled
            UserType          = $_.userType
            CreatedDateTime   = ConvertFrom-Microsoft365Moment $_.createdDateTime
            Country           = $_.country
            Department        = $_.department
            UsageLocation     = $_.usageLocation
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
    Get-Microsoft365Item $graph '/users?$select=id,licenseAssignmentStates&$top=100' | ForEach-Object -Process {
        if ($_.licenseAssignmentStates -isnot [array]) {
            throw 'Microsoft Graph answered with a user whose licenseAssignmentStates are no list'
        }
        foreach ($state in $_.licenseAssignmentStates) {
            $plans = $null
            if ($null -ne $state.disabledPlans) {
                $sorted = [string[]]@($state.disabledPlans)
                [Array]::Sort($sorted, [StringComparer]::Ordinal)
                $plans = $sorted -join ';'
            }
            [pscustomobject]@{
                UserId          = $_.id
                SkuId           = $state.skuId
                AssignedByGroup = $state.assignedByGroup
                State           = ConvertFrom-Microsoft365Text $state.state
                DisabledPlans   = $plans
            }
        }
    }
}

# --- a session, and the items of a call ---

function Get-Microsoft365Base([string]$GraphRoot) {
    # The address below which the calls lie: always /v1.0 of the root, which may end in a slash.
    $root = $GraphRoot.Trim().TrimEnd('/') -replace '/v1\.0$', ''
    $uri = $null
    if (-not [Uri]::TryCreate($root, [UriKind]::Absolute, [ref]$uri) -or
        $uri.Scheme -notin 'http', 'https' -or ($uri.Scheme -eq 'http' -and -not $uri.IsLoopback)) {
        throw "GraphRoot is '$GraphRoot', expected an https address such as https://graph.microsoft.com"
    }
    $root + '/v1.0'
}

function New-Microsoft365Session([string]$GraphRoot, [string]$AccessToken) {
    # Where to ask, and with which token.
    $graph = @{ Base = (Get-Microsoft365Base $GraphRoot); Token = $AccessToken; Asked = $null }
    if (-not $graph['Token']) {
        $graph['Token'] = Get-Microsoft365Token $null
        $graph['Asked'] = [System.Diagnostics.Stopwatch]::StartNew()
    }
    if (-not $graph['Token']) {
        throw 'sign-in: AccessToken is empty and nothing else gives a token; fill AccessToken'
    }
    $graph
}

function Get-Microsoft365Token($Rejected) {
    # A token from BridgeToken, in place of the one that was rejected; nothing where there is no BridgeToken.
    if (Test-Path -LiteralPath 'variable:global:BridgeToken') { $global:BridgeToken.Get($Rejected) }
}

function Update-Microsoft365Token($Graph) {
    # Where BridgeToken gives the token it also decides when another is due, so it is asked again and again.
    if ($null -eq $Graph['Asked']) { return }
    if ($Graph['Asked'].Elapsed.TotalSeconds -lt $Microsoft365Limits['AskSeconds']) { return }
    $Graph['Token'] = Get-Microsoft365Token $null
    $Graph['Asked'] = [System.Diagnostics.Stopwatch]::StartNew()
}

function Get-Microsoft365Item($Graph, [string]$Call) {
    # Emits the items of every page of a call, their own texts without marks (a function call for each would cost
    # more than all the rest). A page may be empty and still have a next link.
    $mark = [char]'#'
    $seen = New-Object -TypeName 'System.Collections.Generic.HashSet[string]'
    $link = $Graph['Base'] + $Call
    while ($link) {
        if (-not $seen.Add($link)) { throw 'Microsoft Graph named the same next page twice, so its list has no end' }
        $page = Read-Microsoft365Page $Graph $link
        foreach ($item in $page.value) {
            if ($null -eq $item) { throw 'Microsoft Graph answered with an item that is null' }
            foreach ($property in $item.psobject.Properties) {
                $text = $property.Value
                if ($text -is [string] -and $text.Length -and $text[0] -eq $mark) {
                    $property.Value = $text.Substring(1)
                }
            }
            $item
        }
        $next = $page.psobject.Properties['@odata.nextLink']
        $link = $null
        if ($null -ne $next) { $link = Confirm-Microsoft365Link $Graph (ConvertFrom-Microsoft365Text $next.Value) }
    }
}

function Confirm-Microsoft365Link($Graph, [string]$Link) {
    # The next link unchanged, if it leads to where the token may go.
    $ours = [Uri]$Graph['Base']
    $uri = $null
    if (-not [Uri]::TryCreate($Link, [UriKind]::Absolute, [ref]$uri) -or
        $uri.GetLeftPart([UriPartial]::Authority) -ne $ours.GetLeftPart([UriPartial]::Authority)) {
        throw "Microsoft Graph named a next page elsewhere than on $($ours.Authority): the token is not sent there"
    }
    $Link
}

function Read-Microsoft365Page($Graph, [string]$Link) {
    # One page as an object; what is no page is an error.
    $page = ConvertFrom-Microsoft365Json (Invoke-Microsoft365Request $Graph $Link)
    $there = $page -is [System.Management.Automation.PSCustomObject]
    if (-not $there -or $null -eq $page.psobject.Properties['value'] -or $page.value -isnot [array]) {
        throw 'Microsoft Graph answered without a list of values'
    }
    $page
}

# --- JSON that is the same in every PowerShell ---

# PowerShell 7 turns texts that look like ISO dates into dates, Windows PowerShell those like \/Date(0)\/. A mark
# before every text that begins like one keeps both from it; a text that begins with the mark gets a second one.
$Microsoft365Mark = New-Object -TypeName System.Text.RegularExpressions.Regex -ArgumentList @(
    '(?<!\\)"(?=[0-9]{4}-|[#/\\])', 'CultureInvariant')

function ConvertFrom-Microsoft365Json([string]$Text) {
    # The object of a JSON text, with marked texts.
    $marked = $Microsoft365Mark.Replace($Text, '"#')
    if ($marked.Length -gt 2097152 -and $PSVersionTable.PSVersion.Major -lt 6) {
        throw "Microsoft Graph sent a page of $($Text.Length) characters; Windows PowerShell reads 2097152 at most"
    }
    # The parser's own words would quote users' data.
    try { ConvertFrom-Json -InputObject $marked } catch { throw 'Microsoft Graph answered with something that is no JSON' }
}

function ConvertFrom-Microsoft365Text($Value) {
    # A text without its mark; anything else as it is.
    if ($Value -is [string] -and $Value.StartsWith('#', [StringComparison]::Ordinal)) { return $Value.Substring(1) }
    $Value
}

function ConvertFrom-Microsoft365Moment($Value) {
    # yyyy-MM-ddTHH:mm:ss[.f]Z without trailing zeros.
    if ($null -eq $Value) { return $null }
    if ($Value -notmatch '^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,7})?Z\z') {
        throw "Microsoft Graph sent the moment '$Value', expected one in UTC such as 2026-11-24T08:15:30Z"
    }
    $seconds = $Matches[1]
    $fraction = ''
    if ($Matches.Count -gt 2) { $fraction = $Matches[2].TrimEnd('0').TrimEnd('.') }
    $seconds + $fraction + 'Z'
}

# --- the proxy ---

function Get-Microsoft365Proxy([string]$Address, [string]$Bypass) {
    # The proxy of an address such as http://name:password@proxy:8080, passed by for the names in a list.
    $uri = $null
    if (-not [Uri]::TryCreate($Address, [UriKind]::Absolute, [ref]$uri)) { throw 'HTTPS_PROXY is no address' }
    $names = foreach ($name in $Bypass.Split(',')) { if ($name.Trim()) { $name.Trim().TrimStart('*', '.') } }
    $patterns = foreach ($name in @($names)) { '://([^/]*\.)?' + [regex]::Escape($name) + '(:[0-9]+)?$' }
    $where = $uri.Scheme + '://' + $uri.Authority
    $proxy = New-Object -TypeName System.Net.WebProxy -ArgumentList $where, $true, ([string[]]@($patterns))
    if ($uri.UserInfo) {
        $user, $password = foreach ($part in $uri.UserInfo.Split([char[]]':', 2)) { [Uri]::UnescapeDataString($part) }
        $proxy.Credentials = New-Object -TypeName System.Net.NetworkCredential -ArgumentList $user, $password
    } else { $proxy.UseDefaultCredentials = $true }
    $proxy
}

# Windows PowerShell knows the account's proxy only; PowerShell 7 reads the variables itself.
if ($PSVersionTable.PSVersion.Major -lt 6) {
    if ($env:NO_PROXY -eq '*') { [System.Net.WebRequest]::DefaultWebProxy = $null }
    elseif ($env:HTTPS_PROXY) {
        [System.Net.WebRequest]::DefaultWebProxy = Get-Microsoft365Proxy $env:HTTPS_PROXY $env:NO_PROXY
    }
}

# --- HTTP: one request, with honest waits ---

function Invoke-Microsoft365Request($Graph, [string]$Link) {
    # The body of an answer, as text. Waits as long as Graph asks for, and not for ever.
    $waited = 0
    $renewed = $false
    for ($attempt = 1; ; $attempt++) {
        Update-Microsoft365Token $Graph
        try { return (Send-Microsoft365Request $Graph $Link) }
        catch { $failure = Get-Microsoft365Failure $_ }
        if ($failure['Status'] -eq 401 -and -not $renewed) {
            $renewed = $true
            $token = Get-Microsoft365Token $Graph['Token']
            if ($token) { $Graph['Token'] = $token; continue }
        }
        if ($failure['Status'] -eq 401) { throw "sign-in: the access token was refused: $($failure['Text'])" }
        if (-not $failure['Again']) { throw $failure['Text'] }
        $seconds = $failure['Seconds']
        if ($null -eq $seconds) {
            $seconds = [Math]::Min([Math]::Pow(2, $attempt - 1), $Microsoft365Limits['LongestWait'])
        }
        $waited += $seconds
        if ($attempt -ge $failure['Attempts'] -or $waited -gt $Microsoft365Limits['WaitSeconds']) {
            throw "gave up after $attempt attempts: $($failure['Text'])"
        }
        Write-Verbose "waiting $seconds seconds: $($failure['Reason'])"
        Start-Sleep -Seconds $seconds
    }
}

function Send-Microsoft365Request($Graph, [string]$Link) {
    # One GET; the body is UTF-8 whatever the header says or does not say.
    $ProgressPreference = 'SilentlyContinue'
    $headers = @{ Authorization = 'Bearer ' + $Graph['Token']; Accept = 'application/json' }
    $answer = Invoke-WebRequest -Uri $Link -Headers $headers -Method Get -UseBasicParsing -MaximumRedirection 0 `
        -TimeoutSec $Microsoft365Limits['TimeoutSec'] -ErrorAction Stop -Verbose:$false
    if ($answer.StatusCode -ne 200) { throw "Microsoft Graph answered with HTTP $($answer.StatusCode)" }
    [System.Text.Encoding]::UTF8.GetString($answer.RawContentStream.ToArray()).TrimStart([char]0xFEFF)
}

function Get-Microsoft365Failure($Record) {
    # What a failed request means: its status, a sentence, whether to try again, and after how many seconds.
    $kind = $Record.Exception.GetType().FullName
    $response = $Record.Exception.psobject.Properties['Response']
    if ($null -eq $response -or $null -eq $response.Value) {
        $again = $kind -in 'System.Net.WebException', 'System.Net.Http.HttpRequestException', 'System.IO.IOException',
        'System.Threading.Tasks.TaskCanceledException', 'System.TimeoutException', 'System.Net.Http.HttpIOException'
        return @{ Status = 0; Again = $again; Seconds = $null; Reason = 'no answer'
            Attempts = $Microsoft365Limits['Unanswered']
            Text = "Microsoft Graph gave no answer: $($Record.Exception.Message)"
        }
    }
    $status = [int]$response.Value.StatusCode
    $said = Get-Microsoft365ErrorText $Record $response.Value
    $again = $status -eq 429 -or ($status -ge 500 -and $status -ne 501)
    @{ Status = $status; Again = $again; Reason = "HTTP $status"; Attempts = $Microsoft365Limits['Attempts']
        Seconds = Get-Microsoft365RetryAfter $response.Value
        Text = "Microsoft Graph answered with HTTP ${status}: $said"
    }
}

function Get-Microsoft365RetryAfter($Response) {
    # The seconds of Retry-After, which may also name a moment; nothing where it is missing.
    if ($Response -is [System.Net.HttpWebResponse]) { $text = [string]$Response.Headers['Retry-After'] }
    else { $text = [string]$Response.Headers.RetryAfter }
    $moment = [DateTime]::MinValue
    $invariant = [System.Globalization.CultureInfo]::InvariantCulture
    if ($text -match '^[0-9]{1,6}$') { return [int]$text }
    if ([DateTime]::TryParseExact($text, 'r', $invariant, 'AssumeUniversal, AdjustToUniversal', [ref]$moment)) {
        return [int][Math]::Ceiling([Math]::Max(0.0, ($moment - [DateTime]::UtcNow).TotalSeconds))
    }
}

function Get-Microsoft365ErrorText($Record, $Response) {
    # Code and message of Graph's error body, or its first characters where it is something else.
    $body = ''
    if ($null -ne $Record.ErrorDetails) { $body = [string]$Record.ErrorDetails.Message }
    if (-not $body -and $Response -is [System.Net.HttpWebResponse]) {
        $stream = $Response.GetResponseStream()
        if ($stream.CanSeek) { $stream.Position = 0 }
        $body = (New-Object -TypeName System.IO.StreamReader -ArgumentList $stream).ReadToEnd()
    }
    try {
        $fault = (ConvertFrom-Json -InputObject $body).error
        "$($fault.code): $($fault.message)"
    } catch {
        $body.Substring(0, [Math]::Min(200, $body.Length))
    }
}
