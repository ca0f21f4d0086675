<#
.SYNOPSIS
Names for people of products and service plans, from Microsoft's public file that somebody put on this machine.

.DESCRIPTION
The file is "Product names and service plan identifiers for licensing.csv". Copies of it differ: with or without a
byte order mark, UTF-8 or Windows-1252, separated by commas or semicolons, with blanks around names and ids.

Runs on Windows PowerShell 5.1 and PowerShell 7.

.EXAMPLE
. ./Csv.ps1; . ./Names.ps1; (Read-Microsoft365Names 'C:\ProgramData\names.csv')['Products'].Count

Shows how many products the file names.
#>

function Read-Microsoft365Names([string]$ProductNames) {
    # Names by id: of products and of plans. Without a file there are none.
    $names = @{ Products = @{}; Plans = @{} }
    if (-not $ProductNames.Trim()) { return $names }
    try { $text = Read-Microsoft365Text $ProductNames } catch {
        throw "ProductNames: $ProductNames cannot be read: $($_.Exception.GetBaseException().Message)"
    }
    $head = $text.Split("`n")[0]
    $separator = ','
    if ($head.Split(';').Length -gt $head.Split(',').Length) { $separator = ';' }
    $reader = New-Object -TypeName System.IO.StringReader -ArgumentList $text
    $csv = Open-Microsoft365Csv "ProductNames: $ProductNames" $reader $separator -Loose
    $product, $sku, $plan, $planId = foreach ($name in 'Product_Display_Name', 'GUID',
        'Service_Plans_Included_Friendly_Names', 'Service_Plan_Id') { Find-Microsoft365Column $csv $name }
    while ($rows = Read-Microsoft365Csv $csv) {
        foreach ($cells in $rows) {
            Add-Microsoft365Name $names['Products'] $cells[$sku] $cells[$product]
            Add-Microsoft365Name $names['Plans'] $cells[$planId] $cells[$plan]
        }
    }
    $names
}

function Read-Microsoft365Text([string]$Path) {
    # The text of a file in UTF-8 or, where it is none, in Windows-1252.
    $bytes = [System.IO.File]::ReadAllBytes($Path)
    $strict = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $false, $true
    try { $text = $strict.GetString($bytes) }
    catch { $text = [System.Text.Encoding]::GetEncoding(1252).GetString($bytes) }
    $text.TrimStart([char]0xFEFF)
}

function Find-Microsoft365Column($Csv, [string]$Name) {
    # The place of a column.
    for ($i = 0; $i -lt $Csv['Header'].Length; $i++) { if ($Csv['Header'][$i].Trim() -eq $Name) { return $i } }
    throw "$($Csv['Name']) has no column $Name; it begins with $($Csv['Header'][0].Trim())"
}

function Add-Microsoft365Name($Names, [string]$Id, [string]$Name) {
    # Keeps the first name of an id.
    $key = $Id.Trim().ToLowerInvariant()
    if ($key -and $Name.Trim() -and -not $Names.ContainsKey($key)) { $Names[$key] = $Name.Trim() }
}

function Get-Microsoft365Name($Names, $Id, $Otherwise) {
    # The name for people, or what Graph calls it.
    $key = ([string]$Id).ToLowerInvariant()
    if ($Names.ContainsKey($key)) { $Names[$key] } else { $Otherwise }
}
