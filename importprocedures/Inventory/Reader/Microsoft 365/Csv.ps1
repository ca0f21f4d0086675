<#
.SYNOPSIS
Reads CSV strictly and in constant memory: cells as they are, quoted commas and line breaks included.

.DESCRIPTION
Import-Csv trims cells, takes a row that is too short or too long for a whole one, and does not notice a file that
ends inside quotes. Here each of these is an error that names the file and the row. A row without cells counts for
nothing. Rows come in lists of about 65,536 characters, so that a row costs no function call.

Runs on Windows PowerShell 5.1 and PowerShell 7.

.EXAMPLE
. ./Csv.ps1; $csv = Open-Microsoft365Csv names.csv (New-Object -TypeName IO.StreamReader -ArgumentList names.csv)
while ($rows = Read-Microsoft365Csv $csv) { foreach ($cells in $rows) { $cells[0] } }

Shows the first cell of each row below the header, whose cells are $csv['Header'].
#>

$Microsoft365MostRow = 131072    # characters of one row
$Microsoft365Odd = [char[]]'\;'    # what Details escape, besides line breaks
$Microsoft365Quotes = [char[]]"`"`r"    # what makes a row more than texts between separators

function Open-Microsoft365Csv([string]$Name, [System.IO.TextReader]$Reader, [char]$Separator = ',', [switch]$Loose) {
    # A file whose rows can be read; its header is read. In a loose one rows may be shorter or
    # longer than that, and blanks may follow quotes.
    $bare = '[^"\r\n{0}][^\r\n{0}]*|' -f $Separator
    $quoted = '"(?:[^"]|"")*'
    $blanks = ''
    if ($Loose) { $blanks = '[ \t\u00a0]*' }
    $csv = @{ Name = $Name; Reader = $Reader; Separator = $Separator; Loose = $Loose; Ended = $false; Rest = ''
        Open = New-Object -TypeName System.Text.StringBuilder    # the beginning of a row that goes on in the next line
        Block = New-Object -TypeName 'char[]' -ArgumentList 65536
        Cell = [regex]('\G(?:({0}"){3}|({1}))({2}|\z)' -f $quoted, $bare, $Separator, $blanks)
        IsOpen = [regex]('\A(?:(?:{0}"{3}|{1}){2})*{0}\z' -f $quoted, $bare, $Separator, $blanks)
        Header = $null; Row = 0; Ready = $null
        IsOdd = $false    # whether the last list holds anything to escape
    }
    while ($null -eq $csv['Header'] -and -not $csv['Ended']) { $csv['Ready'] = Read-Microsoft365Block $csv }
    if ($null -eq $csv['Header']) { throw "$Name is empty, and has not even a header" }
    $csv
}

function Read-Microsoft365Csv($Csv) {
    # The next rows, a list of arrays of cells; nothing at the end.
    $rows = $Csv['Ready']
    $Csv['Ready'] = $null
    while (($null -eq $rows -or -not $rows.Count) -and -not $Csv['Ended']) { $rows = Read-Microsoft365Block $Csv }
    if ($null -ne $rows -and $rows.Count) { , $rows }
}

function Read-Microsoft365Block($Csv) {
    # The rows that end in the next characters of a file. The first row of all becomes the header.
    $length = $Csv['Reader'].Read($Csv['Block'], 0, $Csv['Block'].Length)
    $text = $Csv['Rest'] + (New-Object -TypeName string -ArgumentList $Csv['Block'], 0, $length)
    if (-not $length) { $Csv['Ended'] = $true; $text += "`n" }
    $Csv['IsOdd'] = $text.IndexOfAny($Microsoft365Odd) -ge 0
    $lines = $text.Split("`n")
    $Csv['Rest'] = $lines[$lines.Length - 1]
    $separator = [char[]]@($Csv['Separator'])
    $open = $Csv['Open']
    $width = 0
    if ($null -ne $Csv['Header']) { $width = $Csv['Header'].Length }
    $rows = New-Object -TypeName 'System.Collections.Generic.List[object]'
    for ($i = 0; $i -lt $lines.Length - 1; $i++) {
        $line = $lines[$i]
        if ($open.Length) {
            [void]$open.Append("`n").Append($line)
            if ($open.Length -gt $Microsoft365MostRow) { Stop-Microsoft365Row $Csv }
            if ($line.Split([char[]]'"').Length % 2) { continue }    # as many quotes begin here as end
            $line = $open.ToString()
            [void]$open.Clear()
        }
        $whole = $line
        if ($line.Length -and $line[$line.Length - 1] -eq "`r") { $whole = $line.Substring(0, $line.Length - 1) }
        if (-not $whole.Length) { continue }
        if ($whole.IndexOfAny($Microsoft365Quotes) -lt 0) { $cells = $whole.Split($separator) }
        elseif ($Csv['IsOpen'].IsMatch($whole)) { [void]$open.Append($line); continue }
        else { $Csv['IsOdd'] = $true; $cells = Split-Microsoft365Row $Csv $whole }
        if (-not $width) { $Csv['Header'] = $cells; $width = $cells.Length; continue }
        $Csv['Row']++
        if ($cells.Length -ne $width -and -not $Csv['Loose']) {
            throw "$($Csv['Name']): row $($Csv['Row']) has $($cells.Length) cells, its header has $width"
        }
        $rows.Add($cells)
    }
    if ($Csv['Ended'] -and $open.Length) { throw "$($Csv['Name']) ends in the middle of row $($Csv['Row'] + 1)" }
    if ($Csv['Rest'].Length -gt $Microsoft365MostRow) { Stop-Microsoft365Row $Csv }
    , $rows
}

function Stop-Microsoft365Row($Csv) {
    # Quotes that are never closed must not make one row of a whole file.
    throw "$($Csv['Name']): row $($Csv['Row'] + 1) has more than $Microsoft365MostRow characters"
}

function Split-Microsoft365Row($Csv, [string]$Line) {
    # The cells of a row with quotes.
    $cells = New-Object -TypeName 'System.Collections.Generic.List[string]'
    $at = 0
    for ($found = $Csv['Cell'].Match($Line); $found.Success; $found = $Csv['Cell'].Match($Line, $at)) {
        if ($found.Groups[1].Success) {
            $quoted = $found.Groups[1].Value
            $cells.Add($quoted.Substring(1, $quoted.Length - 2).Replace('""', '"'))
        } else { $cells.Add($found.Groups[2].Value) }
        $at += $found.Length
        if (-not $found.Groups[3].Length) { return , $cells.ToArray() }
    }
    throw "$($Csv['Name']): row $($Csv['Row'] + 1) has quotes or a line break where none can stand"
}
