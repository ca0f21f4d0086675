<#
.SYNOPSIS
Runs the PowerShell functions of one reader folder and writes what they emit as captures.

.DESCRIPTION
The host that beacon-bridge starts in 32-bit Windows PowerShell. It takes no arguments: the first line of
standard input is the job, one JSON object whose texts are base64 of UTF-8 (so that no JSON reader can take a
text for a date). It answers on standard output with one event a line: the job's mark, a running number, a JSON
object. Everything else on standard output is somebody else's, and only log text.

The reader gets a runspace of its own: a fresh default session in which the init scripts are dot-sourced once.
The only differences from a fresh session are $VerbosePreference = 'Continue' and, for beacon-bridge's own
reader folders, the variable BridgeToken.

Runs on Windows PowerShell 5.1 and PowerShell 7. docs/formats.md describes the job, the events and the captures.

.EXAMPLE
powershell.exe -NoLogo -NoProfile -NonInteractive -ExecutionPolicy RemoteSigned -File Invoke-Reader.ps1 < job.json

Runs the job in job.json and prints its events. beacon-bridge does this; nobody needs to do it by hand.
#>
[CmdletBinding()]
param()

if ($ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') { exit 71 }

Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

$MostLogLines = 5000      # of one step; the rest is counted
$MostGapTexts = 200       # different texts of one step; the rest is counted under its name
$MostText = 4000          # characters of one text in an event
$MostGapText = 600        # of one gap: all gaps of a step are one event, which must stay below 1 MiB
$MostId = 300             # of an error's id
$MostRestarts = 5         # of one step whose reader asks to begin again
$PollMilliseconds = 100
$BeatSeconds = 2

# --- the ends: what a remoting session would replace ---

function New-Ends {
    # Standard input and output as bytes, taken before anybody else can use them.
    $utf8 = New-Object System.Text.UTF8Encoding($false)
    $in = New-Object System.IO.StreamReader([Console]::OpenStandardInput(), $utf8)
    $out = New-Object System.IO.StreamWriter([Console]::OpenStandardOutput(), $utf8)
    $out.NewLine = "`n"
    $out.AutoFlush = $true
    [Console]::SetOut([System.IO.TextWriter]::Null)
    [Console]::SetIn([System.IO.TextReader]::Null)
    $ends = New-Object PSObject -Property @{ In = $in; Out = $out; Mark = ''; Number = 0 }
    $ends | Add-Member -MemberType ScriptMethod -Name ReadLine -Value { $this.In.ReadLine() }
    $ends | Add-Member -MemberType ScriptMethod -Name WriteEvent -Value {
        param($event)
        $json = ConvertTo-Json -InputObject $event -Compress -Depth 4
        # Begins a line of its own, whatever somebody else has left unfinished on standard output.
        $this.Out.Write("`n" + $this.Mark + ' ' + $this.Number + ' ' + $json + "`n")
        $this.Number++
    }
    $ends | Add-Member -MemberType ScriptMethod -Name OpenRows -Value {
        param($path)
        $utf8 = New-Object System.Text.UTF8Encoding($false)
        $file = New-Object System.IO.FileStream($path, [System.IO.FileMode]::Create, [System.IO.FileAccess]::Write)
        $rows = New-Object System.IO.StreamWriter($file, $utf8, 65536)
        $rows.NewLine = "`n"
        $rows
    }
    $ends
}

function ConvertFrom-Text($text) {
    [System.Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($text))
}

function Get-Texts($list) {
    foreach ($one in @($list)) { if ($null -ne $one) { ConvertFrom-Text $one } }
}

# --- canonical text ---

# In the order of their use: has the text anything to escape; what XML 1.0 cannot hold, and underscores that
# would be read as the start of such an escape.
$Lone = '[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]'
$Unholdable = '[\x00-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]|' + $Lone
$NeedsEscape = New-Object System.Text.RegularExpressions.Regex(
    '[&<>"\x00-\x1F\uD800-\uDFFF\uFFFE\uFFFF]|_x[0-9A-Fa-f]{4}', 'Compiled, CultureInvariant')
$ToEscape = New-Object System.Text.RegularExpressions.Regex(
    ($Unholdable + '|_(?=x[0-9A-Fa-f]{4}(?:_|' + $Unholdable + '))'), 'CultureInvariant')

# What PowerShell or a dictionary answers to even where the row has no such property.
$Intrinsic = 'Count', 'Length', 'Keys', 'Values', 'SyncRoot', 'IsReadOnly', 'IsFixedSize', 'IsSynchronized'

# The writer's own functions, as text: they run in the reader's runspace, in the writer's scope.
$WriterFunctions = @'
function EscapeCell([string]$text) {
    $escaped = $toEscape.Replace($text, [System.Text.RegularExpressions.MatchEvaluator]{
        param($found) '_x{0:X4}_' -f [int][char]$found.Value })
    $escaped.Replace('&', '&amp;').Replace('<', '&lt;').Replace('>', '&gt;').Replace('"', '&quot;').Replace(
        "`t", '&#x9;').Replace("`n", '&#xA;').Replace("`r", '&#xD;')
}
function ConvertCell($value, [string]$column) {
    if ($value -is [bool]) { if ($value) { return 'true' } else { return 'false' } }
    if ($value -is [datetime]) { return $value.ToString('yyyy-MM-ddTHH:mm:ss.FFFFFFFK', $invariant) }
    if ($value -is [enum]) { return $value.ToString() }
    if ($value -is [double] -or $value -is [single]) { return $value.ToString('R', $invariant) }
    if ($value -is [guid]) { return $value.ToString('d') }
    if ($value -is [timespan]) { return $value.ToString('c', $invariant) }
    if ($value -is [datetimeoffset]) { return $value.ToString('yyyy-MM-ddTHH:mm:ss.FFFFFFFzzz', $invariant) }
    if ($value -is [uri]) { return $value.OriginalString }
    if ($value -is [char] -or $value -is [version]) { return $value.ToString() }
    if ($value -is [DBNull]) { return $null }
    if ($value -is [byte] -or $value -is [sbyte] -or $value -is [int16] -or $value -is [uint16] -or
        $value -is [int32] -or $value -is [uint32] -or $value -is [int64] -or $value -is [uint64] -or
        $value -is [decimal]) { return $value.ToString($invariant) }
    throw "bridge-row: row $($count[0] + 1), column ${column}: a $($value.GetType().FullName) is no single value"
}
function TestRow($row) {
    if ($null -eq $row) { throw "bridge-row: row $($count[0] + 1) is null, not an object with properties" }
    if ($row -is [string] -or $row -is [System.ValueType]) {
        throw "bridge-row: row $($count[0] + 1) is a $($row.GetType().FullName), not an object with properties"
    }
    if ($row -is [System.Collections.IList]) {
        throw "bridge-row: row $($count[0] + 1) is a whole $($row.GetType().FullName), not one object"
    }
}
function TestNull($row, [string]$property, [string]$column) {
    # PowerShell reads a property that is missing, or whose getter throws, as null: tell them from a null.
    if ($row -is [System.Collections.IDictionary]) { $there = $row.Contains($property) }
    else {
        $found = $row.psobject.Properties[$property]
        $there = $null -ne $found
        if ($there) { try { [void]$found.get_Value() } catch {
                throw "bridge-row: row $($count[0] + 1), column ${column}: $($_.Exception.GetBaseException().Message)" } }
    }
    if (-not $there) { throw "bridge-row: row $($count[0] + 1), column ${column}: there is no property '$property'" }
}
function TestPlain($row, $properties) {
    # Whether a row is an object whose properties only hold values; its nulls need no second look then.
    if ($row -isnot [System.Management.Automation.PSCustomObject]) { return $false }
    foreach ($property in $properties) {
        $found = $row.psobject.Properties[$property]
        if ($null -ne $found -and $found.MemberType -ne 'NoteProperty') { return $false }
    }
    return $true
}
'@

function Get-Quoted($text) {
    "'" + [System.Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($text) + "'"
}

function Get-WriterScript($columns) {
    # One process block with the step's columns unrolled: a third of the cost of a loop over their names. What has
    # to be escaped is looked for once a row, and a row without nulls is written in one piece.
    $number = 0
    $cells = foreach ($column in $columns) {
        $value = "`$v$number"
        $property = Get-Quoted $column.Property
        $name = Get-Quoted $column.Name
        $number++
        @{
            Property = $property
            Value    = $value
            Read     = @"
        $(if ($Intrinsic -contains $column.Property) { "TestNull `$row $property $name" })
        $value = `$row.$property
        if ($value -isnot [string]) {
            if (`$null -ne $value) { $value = ConvertCell $value $name }
            elseif (-not `$isPlain) { TestNull `$row $property $name }
        }
"@
            Escape   = "if (`$null -ne $value) { $value = EscapeCell $value }"
            Append   = "if (`$null -ne $value) { [void]`$line.Append(' $($column.Key)=`"').Append($value).Append('`"') }"
            Piece    = " $($column.Key)=`"`"$value`"`""
            IsThere  = "`$null -ne $value"
        }
    }
    function Join-Cell($part, $separator) { @($cells | ForEach-Object { $_[$part] }) -join $separator }
    @"
param(`$rows, `$count, `$needsEscape, `$toEscape)
begin {
    Set-StrictMode -Version 2
    `$ErrorActionPreference = 'Stop'
    `$VerbosePreference = 'SilentlyContinue'
    `$invariant = [System.Globalization.CultureInfo]::InvariantCulture
    `$line = New-Object System.Text.StringBuilder(1024)
    `$isPlain = `$false
    `$properties = @($(Join-Cell 'Property' ', '))
    `$number = 0L
    `$seen = 0L
    $WriterFunctions
}
process {
    `$row = `$_
    `$seen++
    if (`$row -isnot [System.Management.Automation.PSCustomObject]) { TestRow `$row; `$isPlain = `$false }
    elseif (-not `$isPlain -or (`$number -band 255) -eq 0) { `$isPlain = TestPlain `$row `$properties }
    try {
$(Join-Cell 'Read' "`n")
    } catch [System.Management.Automation.PropertyNotFoundException] {
        throw "bridge-row: row `$(`$count[0] + 1): `$(`$_.Exception.Message)"
    }
    if (`$needsEscape.IsMatch("$(Join-Cell 'Value' '')")) {
        $(Join-Cell 'Escape' "`n        ")
    }
    if ($(Join-Cell 'IsThere' ' -and ')) {
        `$rows.Write("<r$(Join-Cell 'Piece' '')/>``n")
    } else {
        [void]`$line.Append('<r')
        $(Join-Cell 'Append' "`n        ")
        `$rows.Write(`$line.Append("/>``n").ToString())
        [void]`$line.Clear()
    }
    `$number++
    `$count[0] = `$number
}
end {
    # A reader that traps the refusal of a row and goes on has lost it all the same.
    if (`$seen -ne `$number) {
        throw "bridge-row: `$(`$seen - `$number) of `$seen rows were refused, and the reader went on"
    }
}
"@
}

# --- headers and trailers: the same bytes as bridge/capture writes ---

function Get-Attribute($name, $text) {
    $escaped = $ToEscape.Replace([string]$text, [System.Text.RegularExpressions.MatchEvaluator]{
            param($found) '_x{0:X4}_' -f [int][char]$found.Value })
    $escaped = $escaped.Replace('&', '&amp;').Replace('<', '&lt;').Replace('>', '&gt;').Replace('"', '&quot;')
    $escaped = $escaped.Replace("`t", '&#x9;').Replace("`n", '&#xA;').Replace("`r", '&#xD;')
    ' ' + $name + '="' + $escaped + '"'
}

function Get-Moment {
    [DateTime]::UtcNow.ToString('yyyy-MM-ddTHH:mm:ssZ', [System.Globalization.CultureInfo]::InvariantCulture)
}

function Write-Header($rows, $step, $facts) {
    $rows.Write("<?xml version=`"1.0`" encoding=`"utf-8`"?>`n")
    $rows.Write("<capture xmlns=`"urn:beacon-bridge:capture:1`" version=`"1`">`n<header")
    foreach ($name in 'reader', 'owner', 'reader-sha256') { $rows.Write((Get-Attribute $name $facts[$name])) }
    foreach ($name in 'file', 'procedure', 'step', 'table') { $rows.Write((Get-Attribute $name $step[$name])) }
    $rows.Write((Get-Attribute 'engine' $facts['engine']))
    $rows.Write((Get-Attribute 'bits' ([IntPtr]::Size * 8)))
    $rows.Write((Get-Attribute 'version' $PSVersionTable.PSVersion))
    $rows.Write((Get-Attribute 'start' (Get-Moment)))
    $rows.Write(">`n" + $step['head'] + "</header>`n<rows>`n")
}

function Write-Trailer($rows, $count, $gaps) {
    $rows.Write("</rows>`n<trailer" + (Get-Attribute 'rows' $count) + (Get-Attribute 'end' (Get-Moment)) + '>')
    foreach ($gap in $gaps) {
        $rows.Write('<gap' + (Get-Attribute 'name' $gap.Name) + (Get-Attribute 'count' $gap.Count))
        $rows.Write((Get-Attribute 'text' $gap.Text) + '/>')
    }
    $rows.Write("</trailer>`n</capture>`n")
}

# --- what the reader says ---

function Protect-Text($text, $most = $MostText) {
    # Without the secrets, not endless, and without halves of surrogate pairs, which no record can hold.
    $shown = [string]$text
    foreach ($secret in $Secrets) { $shown = $shown.Replace($secret, '***') }
    if ($shown.Length -gt $most) { $shown = $shown.Substring(0, $most) + '...' }
    [regex]::Replace($shown, $Lone, [string][char]0xFFFD)
}

function New-Gaps { New-Object System.Collections.Specialized.OrderedDictionary }

function New-Talk($gaps = (New-Gaps)) {
    # What one step has said so far.
    New-Object PSObject -Property @{ Lines = 0; Errors = New-Object System.Collections.ArrayList
        Gaps = $gaps; Progress = '' }
}

function Write-Log($talk, $stream, $text) {
    $talk.Lines++
    if ($talk.Lines -le $MostLogLines) {
        $Ends.WriteEvent([ordered]@{ event = 'log'; stream = $stream; text = (Protect-Text $text) })
    }
}

function Add-Gap($talk, $name, $text) {
    $shown = Protect-Text $text $MostGapText
    $key = $name + "`n" + $shown
    if (-not $talk.Gaps.Contains($key) -and $talk.Gaps.Count -ge $MostGapTexts) {
        $shown = '(more, each different)'
        $key = $name + "`n" + $shown
    }
    if ($talk.Gaps.Contains($key)) { $talk.Gaps[$key].Count++ }
    else { $talk.Gaps[$key] = New-Object PSObject -Property @{ Name = $name; Text = $shown; Count = 1 } }
}

function Get-ErrorFacts($record) {
    $info = $record.InvocationInfo
    $message = $record.Exception.Message
    if ($null -ne $record.ErrorDetails -and $record.ErrorDetails.Message) {
        # What a service said in the body of its refusal.
        $said = ($record.ErrorDetails.Message -replace '\s+', ' ').Trim()
        if ($message -notlike ('*' + [WildcardPattern]::Escape($said) + '*')) { $message = $message.TrimEnd('.') + ': ' + $said }
    }
    $facts = [ordered]@{ message = (Protect-Text $message); id = (Protect-Text $record.FullyQualifiedErrorId $MostId)
        script = ''; line = 0 }
    if ($null -ne $info) { $facts['script'] = [string]$info.ScriptName; $facts['line'] = $info.ScriptLineNumber }
    if ($record.Exception -is [System.Management.Automation.ParseException] -and $record.Exception.Errors) {
        $facts['script'] = [string]$record.Exception.Errors[0].Extent.File
        $facts['line'] = $record.Exception.Errors[0].Extent.StartLineNumber
    }
    $facts
}

function Test-Chatter($record) {
    # PowerShell's own cmdlets tell what they do: Invoke-RestMethod of a 404 Not Found, in 5.1 of each ?skip=20.
    if ($null -eq $record.InvocationInfo) { return $false }
    $command = $record.InvocationInfo.MyCommand
    $command -is [System.Management.Automation.CmdletInfo] -and $command.ModuleName -like 'Microsoft.PowerShell.*'
}

function Read-Streams($shell, $talk) {
    # Turns the six streams into events, as they come.
    foreach ($record in $shell.Streams.Verbose.ReadAll()) {
        foreach ($pattern in $SkipPatterns) {
            if (-not $pattern.IsMatch($record.Message)) { continue }
            if (-not (Test-Chatter $record)) { Add-Gap $talk 'skipped' $record.Message }
            break
        }
        if ($talk.Lines -lt $MostLogLines) { Write-Log $talk 'verbose' $record.Message } else { $talk.Lines++ }
    }
    foreach ($record in $shell.Streams.Warning.ReadAll()) {
        $named = [regex]::Match($record.Message, '^gap ([A-Za-z0-9-]+): (.*)$', 'Singleline')
        if ($IsOurs -and $named.Success) { Add-Gap $talk $named.Groups[1].Value $named.Groups[2].Value }
        else { Add-Gap $talk 'warning' $record.Message }
        Write-Log $talk 'warning' $record.Message
    }
    foreach ($record in $shell.Streams.Error.ReadAll()) {
        if ($Tolerated -ccontains $record.FullyQualifiedErrorId) { Add-Gap $talk 'error' $record.Exception.Message }
        elseif ($talk.Errors.Count -lt 20) { [void]$talk.Errors.Add((Get-ErrorFacts $record)) }
        Write-Log $talk 'error' $record.Exception.Message
    }
    foreach ($record in $shell.Streams.Debug.ReadAll()) { Write-Log $talk 'debug' $record.Message }
    foreach ($record in $shell.Streams.Information.ReadAll()) { Write-Log $talk 'host' $record.MessageData }
    foreach ($record in $shell.Streams.Progress.ReadAll()) {
        if ($record.Activity -ne $talk.Progress) {
            $talk.Progress = $record.Activity
            Write-Log $talk 'progress' $record.Activity
        }
    }
}

# --- running something in the reader's runspace ---

function Test-Parent {
    # The bridge's process; when it is gone, so are we.
    try { $gone = [System.Diagnostics.Process]::GetProcessById($Parent).HasExited } catch { $gone = $true }
    if ($gone) { [Environment]::Exit(70) }
}

function Get-Token($ask) {
    # The reader's thread waits for a token; the bridge is asked on its behalf.
    $Ends.WriteEvent([ordered]@{ event = 'token'; rejected = [bool]$ask['Rejected'] })
    $answer = ConvertFrom-Json $Ends.ReadLine()
    if ($answer.token) {
        $ask['Token'] = ConvertFrom-Text $answer.token
        if ($Secrets -cnotcontains $ask['Token']) {
            $shown = @(Get-Texts $answer.secrets) + @($Secrets)
            $script:Secrets = @($shown | Sort-Object -Property Length -Descending)
        }
    } else { $ask['Refused'] = ConvertFrom-Text $answer.error }
    $ask['Wanted'] = $false
}

function Invoke-Shell($shell, $talk, $count, $stepName) {
    # Runs a pipeline to its end; returns its state, output, and what it threw.
    $in = New-Object 'System.Management.Automation.PSDataCollection[psobject]'
    $out = New-Object 'System.Management.Automation.PSDataCollection[psobject]'
    $in.Complete()
    $handle = $shell.BeginInvoke($in, $out)
    $beat = [System.Diagnostics.Stopwatch]::StartNew()
    while (-not $handle.AsyncWaitHandle.WaitOne($PollMilliseconds)) {
        Read-Streams $shell $talk
        if ($Ask['Wanted']) { Get-Token $Ask }
        if ($beat.Elapsed.TotalSeconds -ge $BeatSeconds) {
            $beat.Reset(); $beat.Start()
            $Ends.WriteEvent([ordered]@{ event = 'rows'; step = $stepName; rows = $count[0]; said = $talk.Lines })
            Test-Parent
        }
    }
    $thrown = $null
    try { $shell.EndInvoke($handle) | Out-Null } catch {
        $cause = $_.Exception
        while ($cause.InnerException -and $cause -isnot [System.Management.Automation.RuntimeException]) {
            $cause = $cause.InnerException
        }
        if ($cause -is [System.Management.Automation.MethodInvocationException] -and $cause.InnerException) {
            $cause = $cause.InnerException
        }
        if ($cause -is [System.Management.Automation.RuntimeException]) { $thrown = Get-ErrorFacts $cause.ErrorRecord }
        else { $thrown = [ordered]@{ message = (Protect-Text $cause.Message); id = ''; script = ''; line = 0 } }
    }
    Read-Streams $shell $talk
    if ($talk.Lines -gt $MostLogLines) {
        $Ends.WriteEvent([ordered]@{ event = 'log'; stream = 'host'
                text = "$($talk.Lines - $MostLogLines) more lines are not kept" })
    }
    @{ State = [string]$shell.InvocationStateInfo.State; Out = $out; Thrown = $thrown }
}

function New-Shell {
    $shell = [powershell]::Create()
    $shell.Runspace = $Space
    $shell
}

function Get-Complaints($result, $talk, $marker) {
    # What keeps a pipeline from having succeeded: none of the three proofs may be missing.
    $found = New-Object System.Collections.ArrayList
    if ($null -ne $result.Thrown) { [void]$found.Add($result.Thrown) }
    elseif ($result.State -ne 'Completed') {
        [void]$found.Add([ordered]@{ message = "the pipeline ended as $($result.State)"; id = ''; script = ''; line = 0 })
    } elseif ($marker[0] -ne 1) {
        [void]$found.Add([ordered]@{ message = 'the reader ended itself (exit) before its work was done'
                id = 'exit'; script = ''; line = 0 })
    }
    foreach ($facts in $talk.Errors) { [void]$found.Add($facts) }
    , $found
}

function Add-Marker($shell, $marker) {
    # The last stage: an exit or a throw before it keeps its end block from running.
    [void]$shell.AddScript('param($marker) process { $_ } end { $marker[0] = 1 }', $true).AddArgument($marker)
}

function Add-Function($shell, $function) {
    [void]$shell.AddCommand((ConvertFrom-Text $function.method))
    foreach ($pair in @($function.inputs)) {
        if ($null -ne $pair) {
            [void]$shell.AddParameter((ConvertFrom-Text $pair[0]), $Values[(ConvertFrom-Text $pair[1])])
        }
    }
}

function Write-Failure($name, $complaints, $rows) {
    $Ends.WriteEvent([ordered]@{ event = 'failed'; step = $name; rows = $rows; errors = @($complaints) })
}

# --- the tasks ---

function Invoke-InitScripts($job) {
    foreach ($path in @(Get-Texts $job.scripts)) {
        $shell = New-Shell
        $marker = New-Object 'int[]' 1
        [void]$shell.AddScript('. $args[0]; $args[1][0] = 1', $false).AddArgument($path).AddArgument($marker)
        $talk = New-Talk $EarlyGaps
        $result = Invoke-Shell $shell $talk (New-Object 'long[]' 1) ''
        $complaints = Get-Complaints $result $talk $marker
        foreach ($item in $result.Out) { Write-Log $talk 'host' $item }
        $shell.Dispose()
        if ($complaints.Count) { Write-Failure ([System.IO.Path]::GetFileName($path)) $complaints 0; return $false }
    }
    return $true
}

function Get-FunctionAnswer($function, $name) {
    # Calls TestConnection or VersionCheck; returns what it emitted and what went wrong.
    $shell = New-Shell
    $marker = New-Object 'int[]' 1
    Add-Function $shell $function
    Add-Marker $shell $marker
    $talk = New-Talk $EarlyGaps
    $result = Invoke-Shell $shell $talk (New-Object 'long[]' 1) $name
    $complaints = Get-Complaints $result $talk $marker
    $shell.Dispose()
    @{ Out = @($result.Out); Complaints = $complaints }
}

function Get-SourceVersion($job) {
    $answer = Get-FunctionAnswer $job.version 'VersionCheck'
    $version = $null
    foreach ($item in $answer.Out) {
        if ($null -ne $item -and $null -ne $item.psobject.Properties['Version']) { $version = [string]$item.Version }
    }
    if ($answer.Complaints.Count -eq 0 -and $version -notmatch '^[0-9]+(\.[0-9]+)*$') {
        [void]$answer.Complaints.Add([ordered]@{ message = "VersionCheck returned no dotted version: '$(Protect-Text $version)'"
                id = ''; script = ''; line = 0 })
    }
    if ($answer.Complaints.Count) { Write-Failure 'VersionCheck' $answer.Complaints 0; return $null }
    $Ends.WriteEvent([ordered]@{ event = 'version'; version = $version })
    $version
}

function Test-Applies($from, $version) {
    # Whether a step that begins with one version applies to a source of another; both dotted numbers.
    $a = @($from.Split('.')); $b = @($version.Split('.'))
    for ($i = 0; $i -lt [Math]::Max($a.Count, $b.Count); $i++) {
        $x = 0L; $y = 0L
        if ($i -lt $a.Count) { $x = [long]$a[$i] }
        if ($i -lt $b.Count) { $y = [long]$b[$i] }
        if ($x -ne $y) { return $y -gt $x }
    }
    return $true
}

function Move-Capture($part, $path) {
    # To its place; a virus scanner that holds the file gets two seconds to let it go.
    for ($try = 1; ; $try++) {
        try { [System.IO.File]::Move($part, $path); return }
        catch [System.IO.IOException] { if ($try -ge 40) { throw } }
        Start-Sleep -Milliseconds 50
    }
}

function Test-Restart($complaints) {
    # Whether one of our own readers asks for the step to be run again, and nothing else is wrong.
    $IsOurs -and $complaints.Count -eq 1 -and $complaints[0].message -clike 'restart: *'
}

function Copy-Gaps($gaps) {
    $copy = New-Gaps
    foreach ($key in $gaps.Keys) { $copy[$key] = New-Object PSObject -Property @{ Name = $gaps[$key].Name
            Text = $gaps[$key].Text; Count = $gaps[$key].Count } }
    $copy
}

function Write-Rows($rows, $raw, $step, $columns, $talk, $count) {
    # Runs a step's function into its capture, but for the trailer; returns what is wrong.
    $marker = New-Object 'int[]' 1
    $shell = New-Shell
    Add-Function $shell $raw
    [void]$shell.AddScript((Get-WriterScript $columns), $true)
    foreach ($argument in $rows, $null, $NeedsEscape, $ToEscape) {
        if ($null -eq $argument) { [void]$shell.AddArgument($count) } else { [void]$shell.AddArgument($argument) }
    }
    Add-Marker $shell $marker
    $result = Invoke-Shell $shell $talk $count $step['id']
    $complaints = Get-Complaints $result $talk $marker
    if ($complaints.Count -eq 0 -and $result.Out.Count) {
        [void]$complaints.Add([ordered]@{ message = "$($result.Out.Count) objects escaped the writer"
                id = ''; script = ''; line = 0 })
    }
    $shell.Dispose()
    , $complaints
}

function Write-Capture($part, $facts, $raw, $step, $columns, $early) {
    # Writes a step's capture whole, from its beginning if its reader asks for that; returns what it said, how many
    # rows there are, and what is wrong.
    for ($restarts = 0; ; $restarts++) {
        $talk = New-Talk (Copy-Gaps $early)
        $count = New-Object 'long[]' 1
        $rows = $Ends.OpenRows($part)
        try {
            Write-Header $rows $step $facts
            $complaints = Write-Rows $rows $raw $step $columns $talk $count
            if ($complaints.Count -eq 0) {
                Write-Trailer $rows $count[0] @($talk.Gaps.Values)
                $rows.Flush()
                $rows.BaseStream.Flush($true)
            }
        } finally { $rows.Dispose() }
        if ($restarts -ge $MostRestarts -or -not (Test-Restart $complaints)) { break }
        $asked = $complaints[0].message -creplace '^restart: ', ''
        Write-Log (New-Talk) 'host' "restart $($restarts + 1) of ${MostRestarts} after $($count[0]) rows: $asked"
    }
    @{ Talk = $talk; Rows = $count[0]; Complaints = $complaints }
}

function Invoke-Step($job, $facts, $raw) {
    $step = @{ id = (ConvertFrom-Text $raw.id); head = (ConvertFrom-Text $raw.head) }
    foreach ($name in 'file', 'procedure', 'step', 'table') { $step[$name] = ConvertFrom-Text $raw.$name }
    $path = ConvertFrom-Text $raw.capture
    $part = $path + '.part'
    $columns = foreach ($column in @($raw.columns)) {
        New-Object PSObject -Property @{ Key = $column.key; Name = (ConvertFrom-Text $column.name)
            Property = (ConvertFrom-Text $column.property) }
    }
    $Ends.WriteEvent([ordered]@{ event = 'step'; step = $step['id'] })
    $early = $EarlyGaps
    $script:EarlyGaps = New-Gaps
    $done = Write-Capture $part $facts $raw $step $columns $early
    if ($done.Complaints.Count) { Write-Failure $step['id'] $done.Complaints $done.Rows; return $false }
    Move-Capture $part $path
    $gaps = foreach ($gap in $done.Talk.Gaps.Values) { [ordered]@{ name = $gap.Name; text = $gap.Text; count = $gap.Count } }
    $Ends.WriteEvent([ordered]@{ event = 'done'; step = $step['id']; rows = $done.Rows; gaps = @($gaps) })
    return $true
}

function Invoke-Steps($job) {
    $facts = @{ 'reader' = (ConvertFrom-Text $job.reader); 'owner' = $job.owner; 'engine' = $job.engine
        'reader-sha256' = $job.sha256 }
    $version = $null
    if ($job.version) {
        $version = Get-SourceVersion $job
        if ($null -eq $version) { return $false }
    }
    foreach ($raw in @($job.steps)) {
        if ($raw.from -and $null -ne $version -and -not (Test-Applies $raw.from $version)) {
            $Ends.WriteEvent([ordered]@{ event = 'skipped'; step = (ConvertFrom-Text $raw.id); version = $version })
            continue
        }
        if (-not (Invoke-Step $job $facts $raw)) { return $false }
    }
    return $true
}

function Invoke-Test($job) {
    # TestConnection: the returned text OK and nothing else is success.
    $answer = Get-FunctionAnswer $job.test 'TestConnection'
    $said = foreach ($item in $answer.Out) { Protect-Text $item }
    $ok = $answer.Complaints.Count -eq 0 -and $answer.Out.Count -eq 1 -and [string]$answer.Out[0] -ceq 'OK'
    $Ends.WriteEvent([ordered]@{ event = 'tested'; ok = $ok; said = @($said); errors = @($answer.Complaints) })
    return $true
}

function Set-Proxy($told) {
    # For this process alone; in its environment everybody could see the password.
    $passedBy = [string[]]@(Get-Texts $told.passed_by)
    $proxy = New-Object System.Net.WebProxy((ConvertFrom-Text $told.address), $true, $passedBy)
    $user = ConvertFrom-Text $told.user
    $proxy.Credentials = New-Object System.Net.NetworkCredential($user, (ConvertFrom-Text $told.password))
    [System.Net.WebRequest]::DefaultWebProxy = $proxy
    if ($PSVersionTable.PSVersion.Major -ge 6) { [System.Net.Http.HttpClient]::DefaultProxy = $proxy }
}

function Open-Space($job) {
    $space = [System.Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace()
    $space.ApartmentState = 'STA'
    $space.ThreadOptions = 'ReuseThread'
    $space.Open()
    $space.SessionStateProxy.SetVariable('VerbosePreference', 'Continue')
    if ($job.token) {
        $shell = [powershell]::Create()
        $shell.Runspace = $space
        # The object asks through a synchronized table: the main thread answers in its polling loop.
        [void]$shell.AddScript({
                param($ask)
                $token = New-Object PSObject -Property @{ Ask = $ask }
                $token | Add-Member -MemberType ScriptMethod -Name Get -Value {
                    param($rejected)
                    $this.Ask['Rejected'] = [string]$rejected
                    $this.Ask['Refused'] = $null
                    $this.Ask['Wanted'] = $true
                    while ($this.Ask['Wanted']) { Start-Sleep -Milliseconds 10 }
                    if ($this.Ask['Refused']) { throw $this.Ask['Refused'] }
                    $this.Ask['Token']
                }
                Set-Variable -Name BridgeToken -Value $token -Scope Global
            }.ToString(), $true).AddArgument($Ask)
        [void]$shell.Invoke()
        $shell.Dispose()
    }
    $space
}

function Write-Hello {
    $policies = foreach ($entry in Get-ExecutionPolicy -List) { "$($entry.Scope)=$($entry.ExecutionPolicy)" }
    $Ends.WriteEvent([ordered]@{ event = 'hello'; bits = [IntPtr]::Size * 8; version = [string]$PSVersionTable.PSVersion
            edition = [string]$PSVersionTable.PSEdition; culture = [string][System.Globalization.CultureInfo]::CurrentCulture
            policy = [string](Get-ExecutionPolicy); policies = ($policies -join ' ')
            language = [string]$ExecutionContext.SessionState.LanguageMode; clr = [string][Environment]::Version; pid = $PID })
}

# --- the story ---

$Ends = New-Ends
$job = ConvertFrom-Json $Ends.ReadLine()
$Ends.Mark = $job.mark
$Parent = $job.parent
$Secrets = @(Get-Texts $job.secrets | Where-Object { $_ } | Sort-Object -Property Length -Descending)
$Tolerated = @(Get-Texts $job.tolerate)
$SkipPatterns = @()
$IsOurs = [bool]$job.ours
$EarlyGaps = New-Gaps    # of the init scripts and VersionCheck: they belong to the first step
$Ask = [System.Collections.Hashtable]::Synchronized(@{ Wanted = $false })
$Values = @{}
foreach ($pair in @($job.values)) { if ($null -ne $pair) { $Values[(ConvertFrom-Text $pair[0])] = ConvertFrom-Text $pair[1] } }
try {
    Write-Hello
    $SkipPatterns = @(foreach ($text in Get-Texts $job.skip) {
            try { New-Object System.Text.RegularExpressions.Regex($text) }
            catch { throw "bridge-pattern: skip_patterns: .NET does not take the pattern '$text'." }
        })
    $ok = $true
    if ($job.proxy) { Set-Proxy $job.proxy }
    if ($job.task -ne 'probe') {
        $Space = Open-Space $job
        $ok = Invoke-InitScripts $job
        if ($ok -and $job.task -eq 'test') { $ok = Invoke-Test $job }
        elseif ($ok -and $job.task -eq 'version') { $ok = $null -ne (Get-SourceVersion $job) }
        elseif ($ok) { $ok = Invoke-Steps $job }
    }
    $Ends.WriteEvent([ordered]@{ event = 'end'; ok = [bool]$ok })
} catch {
    $facts = Get-ErrorFacts $_
    $Ends.WriteEvent([ordered]@{ event = 'fault'; errors = @(, $facts) })
}
$Ends.Out.Flush()
[Environment]::Exit(0)
