<#
.SYNOPSIS
Asks Microsoft Graph: a session with its token, one request with honest waits, and the pages of a call.

.DESCRIPTION
The access token is the parameter AccessToken or, where that is empty or refused, what the variable BridgeToken
gives; BridgeToken is asked again while the pages come, and gives another token before one ends. The token travels
in the Authorization header only, and only to the host of GraphRoot.

The proxy is that of the environment variables HTTPS_PROXY and NO_PROXY, or the account's where they are not set.

Runs on Windows PowerShell 5.1 and PowerShell 7, whose web cmdlets differ in redirects, error bodies and headers;
System.Net.HttpWebRequest is the same in both.

.EXAMPLE
. ./Graph.ps1; New-Microsoft365Session https://graph.microsoft.com $token

Starts a session of the calls below https://graph.microsoft.com/v1.0.
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
    Window      = 5000    # items among which one that comes again is noticed
    Characters  = 2097152 # of a page, the most that ConvertFrom-Json takes in Windows PowerShell
}
if ($PSVersionTable.PSVersion.Major -ge 6) { $Microsoft365Limits['Characters'] = [int]::MaxValue }

# What Graph says when it has forgotten where in a list we were.
$Microsoft365Forgotten = 'Directory_ExpiredPageToken', 'DirectoryPageTokenNotFoundException'

# The property by which an item that comes again is known, by what such items are called.
$Microsoft365Keys = @{ users = 'id'; organizations = 'id'; subscriptions = 'id'; products = 'skuId' }

# How often the pages of a call were halved because one was too long, by the call.
$Microsoft365Halves = @{}

# --- a session ---

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

# --- the pages of a call ---

function Get-Microsoft365Page($Graph, [string]$Call, [string]$Permission, [string]$Gap = '', [string]$Of = '') {
    # Emits the items of each page of a call as one list. A page may be empty and still have a next link. Without
    # the permission there is an error or, on the first page, the gap. Of the things that Of names, one that came
    # shortly before is left out: a list shifts while it is read.
    $seen = New-Object -TypeName 'System.Collections.Generic.HashSet[string]'
    $window = New-Microsoft365Window
    $link = $Graph['Base'] + (Resize-Microsoft365Call $Call)
    while ($link) {
        if (-not $seen.Add($link)) { throw 'Microsoft Graph named the same next page twice, so its list has no end' }
        $answer = Invoke-Microsoft365Request $Graph $link
        if ($answer['Status'] -eq 403 -and $Gap -and $seen.Count -eq 1) {
            Write-Warning "gap ${Gap}: $Permission is missing: $($answer['Said'])"
            return
        }
        Confirm-Microsoft365Answer $answer $Permission
        $page = ConvertTo-Microsoft365Page $answer['Text'] $Call
        $items = $page.value
        if ($Of) { $items = Select-Microsoft365New $window $items $Of }
        , $items
        $next = $page.psobject.Properties['@odata.nextLink']
        $link = $null
        if ($null -ne $next -and $null -ne $next.Value) {
            if ($next.Value -isnot [string]) { Stop-Microsoft365Value '@odata.nextLink' $next.Value 'a text' }
            $link = Confirm-Microsoft365Link $Graph (ConvertFrom-Microsoft365Text $next.Value)
        }
    }
    if ($window['Again']) {
        Write-Verbose "$($window['Again']) $Of came twice and are written once"
    }
}

function Confirm-Microsoft365Answer($Answer, [string]$Permission) {
    # Throws what an answer without a page means.
    $said = $Answer['Said']
    if ($Answer['Status'] -eq 200) { return }
    if ($Microsoft365Forgotten -ccontains $Answer['Code']) { throw "restart: $said" }
    if ($Answer['Status'] -eq 401) { throw "sign-in: the access token was refused: $said" }
    if ($Answer['Status'] -eq 403) { throw "$Permission is missing: $said" }
    throw $said
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

function Resize-Microsoft365Call([string]$Call) {
    # The call for as many items a page as fit into one.
    if ($Call -notmatch '\$top=([0-9]+)' -or -not $Microsoft365Halves.ContainsKey($Call)) { return $Call }
    $top = [Math]::Max(1, [int][Math]::Floor($Matches[1] / [Math]::Pow(2, $Microsoft365Halves[$Call])))
    $Call.Replace($Matches[0], '$top=' + $top)
}

function Confirm-Microsoft365Length([string]$Text, [string]$Call) {
    # A page that is too long is asked for with half as many items, from the first page: its next link is not ours
    # to change.
    if ($Text.Length -le $Microsoft365Limits['Characters']) { return }
    $said = "Microsoft Graph sent a page of $($Text.Length) characters; Windows PowerShell reads " +
        "$($Microsoft365Limits['Characters']) at most"
    $before = Resize-Microsoft365Call $Call
    $Microsoft365Halves[$Call] = 1 + $Microsoft365Halves[$Call]
    $after = Resize-Microsoft365Call $Call
    if ($after -eq $before) { throw $said }
    throw "restart: $said, so half as many items a page are asked for"
}

function ConvertTo-Microsoft365Page([string]$Text, [string]$Call) {
    # One page as an object; what is no page is an error.
    $marked = $Microsoft365Mark.Replace($Text, '"#')
    Confirm-Microsoft365Length $marked $Call
    $page = ConvertFrom-Microsoft365Marked $marked
    $there = $page -is [System.Management.Automation.PSCustomObject]
    if (-not $there -or $null -eq $page.psobject.Properties['value'] -or $page.value -isnot [array]) {
        throw 'Microsoft Graph answered without a list of values'
    }
    foreach ($item in $page.value) {
        if ($item -isnot [System.Management.Automation.PSCustomObject]) {
            throw 'Microsoft Graph answered with an item that is no object'
        }
    }
    $page
}

# --- items that come twice ---

function New-Microsoft365Window {
    # The keys of the last items, and how many came again.
    @{ Keys = New-Object -TypeName 'System.Collections.Generic.HashSet[string]'
        Order = New-Object -TypeName 'System.Collections.Generic.Queue[string]'
        Again = 0
    }
}

function Select-Microsoft365New($Window, $Items, [string]$Of) {
    # The items whose key is not among the last ones.
    $key = $Microsoft365Keys[$Of]
    $keys = $Window['Keys']
    $order = $Window['Order']
    $most = $Microsoft365Limits['Window']
    $new = New-Object -TypeName 'System.Collections.Generic.List[object]'
    foreach ($item in $Items) {
        $id = $item.$key
        if ($id -isnot [string]) { throw "Microsoft Graph answered with one of the $Of whose $key is no text" }
        if (-not $keys.Add($id)) { $Window['Again']++; continue }
        $order.Enqueue($id)
        if ($order.Count -gt $most) { [void]$keys.Remove($order.Dequeue()) }
        $new.Add($item)
    }
    , $new
}

# --- JSON that is the same in every PowerShell ---

# PowerShell 7 turns texts that look like ISO dates into dates, Windows PowerShell those like \/Date(0)\/. A mark
# before every text that begins like one keeps both from it; a text that begins with the mark gets a second one.
$Microsoft365Mark = New-Object -TypeName System.Text.RegularExpressions.Regex -ArgumentList @(
    '(?<!\\)"(?=[0-9]{4}-|[#/\\])', 'CultureInvariant')

function ConvertFrom-Microsoft365Json([string]$Text) {
    # The object of a JSON text, with marked texts.
    ConvertFrom-Microsoft365Marked ($Microsoft365Mark.Replace($Text, '"#'))
}

function ConvertFrom-Microsoft365Marked([string]$Text) {
    # The object of a JSON text whose texts are marked already. The parser's own words would quote users' data.
    try { ConvertFrom-Json -InputObject $Text }
    catch { throw 'Microsoft Graph answered with something that is no JSON' }
}

function ConvertFrom-Microsoft365Text($Value) {
    # A text without its mark; anything else as it is.
    if ($Value -is [string] -and $Value.StartsWith('#', [StringComparison]::Ordinal)) { return $Value.Substring(1) }
    $Value
}

function Get-Microsoft365Value($Item, [string]$Name) {
    # A property that Graph may leave out; nothing where it did.
    $found = $Item.psobject.Properties[$Name]
    if ($null -ne $found) { ConvertFrom-Microsoft365Text $found.Value }
}

# --- values, as Graph documents them or refused ---

function Stop-Microsoft365Value([string]$Name, $Value, [string]$Expected) {
    # Refuses a value of another type or form.
    $shown = Format-Microsoft365Value ([string](ConvertFrom-Microsoft365Text $Value))
    if ($Value -is [array]) { $shown = 'a list' }
    if ($Value -is [System.Management.Automation.PSCustomObject]) { $shown = 'an object' }
    throw "$Name is $shown, expected $Expected"
}

function Format-Microsoft365Value([string]$Text) {
    # The beginning of a text for an error; half of a pair at its end would be no text.
    "'" + ($Text.Substring(0, [Math]::Min(80, $Text.Length)) -replace '[\ud800-\udbff]\z', [char]0xFFFD) + "'"
}

function Clear-Microsoft365Mark($Item, [string[]]$Names) {
    # Takes the marks from an object's texts.
    foreach ($name in $Names) {
        $text = $Item.$name
        if ($null -eq $text) { continue }
        if ($text -isnot [string]) { Stop-Microsoft365Value $name $text 'a text' }
        $Item.$name = ConvertFrom-Microsoft365Text $text
    }
}

function Confirm-Microsoft365Number($Item, [string[]]$Names) {
    # Throws if an object's numbers are none.
    foreach ($name in $Names) {
        $number = $Item.$name
        if ($null -ne $number -and $number -isnot [int] -and $number -isnot [long]) {
            Stop-Microsoft365Value $name $number 'a whole number'
        }
    }
}

function Confirm-Microsoft365Flag($Item, [string]$Name) {
    # Throws if an object's property is neither true nor false.
    $flag = $Item.$Name
    if ($null -ne $flag -and $flag -isnot [bool]) { Stop-Microsoft365Value $Name $flag 'true or false' }
}

function Confirm-Microsoft365Part($Item, [string]$Name) {
    # Throws if an object's property is no list of objects.
    $fits = $Item.$Name -is [array]
    foreach ($part in $Item.$Name) {
        if ($part -isnot [System.Management.Automation.PSCustomObject]) { $fits = $false }
    }
    if (-not $fits) { throw "$Name is no list of objects" }
}

function ConvertFrom-Microsoft365Moment($Value, [string]$Name) {
    # yyyy-MM-ddTHH:mm:ss[.f]Z without trailing zeros, of a text with its mark.
    if ($null -eq $Value) { return $null }
    if ($Value -isnot [string] -or
        $Value -cnotmatch '^#([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,7})?Z\z') {
        Stop-Microsoft365Value $Name $Value 'a moment such as 2026-11-24T08:15:30Z'
    }
    $seconds = $Matches[1]
    $fraction = ''
    if ($Matches.Count -gt 2) { $fraction = $Matches[2].TrimEnd('0').TrimEnd('.') }
    $seconds + $fraction + 'Z'
}

function Join-Microsoft365Text($List, [string]$Name) {
    # The texts of a list in ordinal order, joined by semicolons; nothing where there is no list.
    if ($null -eq $List) { return $null }
    if ($List -isnot [array]) { Stop-Microsoft365Value $Name $List 'a list of texts' }
    foreach ($text in $List) {
        if ($text -isnot [string]) { Stop-Microsoft365Value $Name $List 'a list of texts' }
    }
    $sorted = [string[]]$List
    for ($i = 0; $i -lt $sorted.Length; $i++) {
        if ($sorted[$i].StartsWith('#', [StringComparison]::Ordinal)) { $sorted[$i] = $sorted[$i].Substring(1) }
    }
    [Array]::Sort($sorted, [StringComparer]::Ordinal)
    $sorted -join ';'
}

# --- the proxy ---

function Get-Microsoft365Proxy([string]$Address, [string]$Bypass) {
    # The proxy of an address such as http://name:password@proxy:80 or proxy:80, passed by for the names in a list.
    if ($Address.IndexOf('://') -lt 0) { $Address = 'http://' + $Address }
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
    } elseif ($null -ne [System.Net.WebRequest]::DefaultWebProxy -and
        $null -eq [System.Net.WebRequest]::DefaultWebProxy.Credentials) {
        [System.Net.WebRequest]::DefaultWebProxy.Credentials = [System.Net.CredentialCache]::DefaultNetworkCredentials
    }
}

# --- HTTP: one request, with honest waits ---

function Invoke-Microsoft365Request($Graph, [string]$Link, [hashtable]$Headers = @{}, $Into = $null) {
    # What came at last, whatever its status; the body goes into a stream if one is given. Waits as long as Graph
    # asks for, and not for ever. Without a session nothing tells who asks: that is for downloads.
    $who = 'Microsoft Graph'
    if ($null -eq $Graph) { $who = 'the storage of the reports' }
    $waited = 0
    $renewed = $false
    for ($attempt = 1; ; $attempt++) {
        if ($null -ne $Graph) {
            Update-Microsoft365Token $Graph
            $Headers['Authorization'] = 'Bearer ' + $Graph['Token']
        }
        $answer = Send-Microsoft365Request $who $Link $Headers $Into
        if ($answer['Status'] -eq 401 -and $null -ne $Graph -and -not $renewed) {
            $renewed = $true
            $token = Get-Microsoft365Token $Graph['Token']
            if ($token) { $Graph['Token'] = $token; continue }
        }
        if (-not $answer['Again']) { return $answer }
        $seconds = $answer['Seconds']
        if ($null -eq $seconds) {
            $seconds = [Math]::Min([Math]::Pow(2, $attempt - 1), $Microsoft365Limits['LongestWait'])
        }
        $waited += $seconds
        if ($attempt -ge $answer['Attempts'] -or $waited -gt $Microsoft365Limits['WaitSeconds']) {
            throw "gave up after $attempt attempts: $($answer['Said'])"
        }
        Write-Verbose "waiting $seconds seconds: $($answer['Reason'])"
        Start-Sleep -Seconds $seconds
    }
}

function Send-Microsoft365Request([string]$Who, [string]$Link, [hashtable]$Headers, $Into) {
    # One GET: status, text, headers that matter, and if it failed, what to say of it and whether to try again.
    $response = $null
    try {
        $response = Open-Microsoft365Response $Link $Headers $Into
        return Read-Microsoft365Response $Who $response $Into
    } catch {
        $cause = Find-Microsoft365Silence $_.Exception
        if ($null -eq $cause) { throw }
        # What was asked may be a secret, so a storage's silence is told by its kind only.
        $kind = $cause.GetType().Name
        if ($cause -is [System.Net.WebException]) { $kind = [string]$cause.Status }
        if ($Headers.ContainsKey('Authorization')) { $kind = $cause.Message }
        return @{ Status = 0; Code = ''; Text = ''; Again = $true; Seconds = $null; Reason = 'no answer'
            Attempts = $Microsoft365Limits['Unanswered']; Said = "$Who gave no answer: $kind"
        }
    } finally { if ($null -ne $response) { $response.Close() } }
}

function Open-Microsoft365Response([string]$Link, [hashtable]$Headers, $Into) {
    # The response to one GET, whatever its status. No redirect is followed. What goes into a stream is not unpacked
    # on its way, so that its length can be held against the announced one.
    $milliseconds = 1000 * $Microsoft365Limits['TimeoutSec']
    $request = [System.Net.WebRequest]::Create($Link)
    $request.AllowAutoRedirect = $false
    $request.Timeout = $milliseconds
    $request.ReadWriteTimeout = $milliseconds
    if ($null -eq $Into) { $request.AutomaticDecompression = 'GZip, Deflate' }
    foreach ($name in $Headers.Keys) { $request.Headers[$name] = $Headers[$name] }
    try { $request.GetResponse() } catch {
        $cause = Find-Microsoft365Silence $_.Exception
        if ($cause -isnot [System.Net.WebException] -or $null -eq $cause.Response) { throw }
        $cause.Response
    }
}

function Find-Microsoft365Silence($Exception) {
    # The exception by which the network says that nothing, or not all, came; nothing if it is another one.
    for ($cause = $Exception; $null -ne $cause; $cause = $cause.InnerException) {
        if ($cause -is [System.Net.WebException] -or $cause -is [System.IO.IOException] -or
            $cause -is [System.TimeoutException]) { return $cause }
    }
}

function Read-Microsoft365Response([string]$Who, $Response, $Into) {
    # The whole body; one that ends before its announced length is an answer that did not come.
    $status = [int]$Response.StatusCode
    $body = New-Object -TypeName System.IO.MemoryStream
    $isFile = $null -ne $Into -and $status -eq 200
    if ($isFile) { $body = $Into; $body.SetLength(0) }
    $Response.GetResponseStream().CopyTo($body)
    $packing = [string]$Response.Headers['Content-Encoding']
    $isCut = $Response.ContentLength -gt $body.Length -and ($isFile -or -not $packing)
    # Of a file without a length only chunks tell that it is whole.
    $hasEnd = $Response.ContentLength -ge 0 -or [string]$Response.Headers['Transfer-Encoding'] -match 'chunked'
    if ($isCut -or ($isFile -and -not $hasEnd)) {
        throw (New-Object -TypeName System.IO.IOException -ArgumentList 'the answer ended too early')
    }
    $answer = @{ Status = $status; Code = ''; Text = ''; Again = $false; Said = "$Who answered with HTTP $status"
        Reason = "HTTP $status"; Attempts = $Microsoft365Limits['Attempts']
        Seconds = Get-Microsoft365RetryAfter ([string]$Response.Headers['Retry-After'])
        Date = [string]$Response.Headers['Date']; Location = [string]$Response.Headers['Location']
        Packing = $packing
    }
    $answer['Again'] = $status -eq 429 -or ($status -ge 500 -and $status -ne 501)
    if ($body -is [System.IO.MemoryStream]) {
        $text = [System.Text.Encoding]::UTF8.GetString($body.GetBuffer(), 0, [int]$body.Length)
        $answer['Text'] = $text.TrimStart([char]0xFEFF)
    }
    if ($status -ge 400 -and $Who -eq 'Microsoft Graph') {
        $answer['Code'], $message = Get-Microsoft365Error $answer['Text']
        $answer['Said'] += ": $($answer['Code']): $message"
    }
    $answer
}

function Get-Microsoft365RetryAfter([string]$Text) {
    # The seconds of Retry-After, which may also name a moment; nothing where it is missing.
    if ($Text -match '^[0-9]{1,6}\z') { return [int]$Text }
    $moment = ConvertFrom-Microsoft365HttpDate $Text
    if ($null -ne $moment) { [int][Math]::Ceiling([Math]::Max(0.0, ($moment - [DateTime]::UtcNow).TotalSeconds)) }
}

function ConvertFrom-Microsoft365HttpDate([string]$Text) {
    # The moment of a header such as Date; nothing where there is none.
    $moment = [DateTime]::MinValue
    $invariant = [System.Globalization.CultureInfo]::InvariantCulture
    $styles = 'AssumeUniversal, AdjustToUniversal'
    if ([DateTime]::TryParseExact($Text, 'r', $invariant, $styles, [ref]$moment)) { $moment }
}

function Get-Microsoft365Error([string]$Body) {
    # Code and message of Graph's error body, or the beginning of a body that is something else.
    try {
        $fault = (ConvertFrom-Microsoft365Json $Body).error
        if ($fault -isnot [System.Management.Automation.PSCustomObject]) { throw 'no error' }
        [string](Get-Microsoft365Value $fault 'code'), [string](Get-Microsoft365Value $fault 'message')
    } catch {
        # Half of a pair at the end would be no text.
        $beginning = $Body.Substring(0, [Math]::Min(200, $Body.Length))
        'no Graph error', ($beginning -replace '[\ud800-\udbff]\z', [char]0xFFFD)
    }
}
