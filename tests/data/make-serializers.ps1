<#
.SYNOPSIS
Writes tests/data/serializers: real output of PowerShell's serializers that tests/data/powershell-7.6 lacks.
#>
param([Parameter(Mandatory)][string]$Out)
New-Item -ItemType Directory -Force $Out | Out-Null
$text = 'text' | Add-Member -PassThru -NotePropertyName Note -NotePropertyValue 'n'
$number = 5 | Add-Member -PassThru -NotePropertyName Note -NotePropertyValue 'm'
$list = New-Object System.Collections.ArrayList
[void]$list.Add(1)
[void]$list.Add('b')
Add-Member -InputObject $list -NotePropertyName Note -NotePropertyValue 'n'
$secure = New-Object System.Security.SecureString
'secret'.ToCharArray() | ForEach-Object { $secure.AppendChar($_) }
$odd = [pscustomobject][ordered]@{ List = $list; Sec = $secure; Empty = ''; Blank = ' '; Lf = "`n"; CrLf = "`r`n"
    Null = $null; DbNull = [DBNull]::Value; EmptyHash = @{}; EmptyObject = [pscustomobject]@{}
    NullInList = @('a', $null, ''); Markup = '<a> & "b"'; Tab = "a`tb"; Bytes = [byte[]](1, 2)
    Error = [DayOfWeek]::Friday }
$rows = @($text, $number, $odd)
$rows | Export-Clixml "$Out/decorated.clixml.xml"
($rows | ConvertTo-Xml -Depth 2).Save("$Out/decorated.save.xml")
$rows | ConvertTo-Xml -Depth 2 -As Stream | Set-Content "$Out/decorated.stream.xml" -Encoding utf8
$rows | ConvertTo-Xml -Depth 2 -As String | Set-Content "$Out/decorated.string.xml" -Encoding unicode
$rows | ConvertTo-Xml -As Stream | Out-File "$Out/shallow.stream.xml" -Encoding bigendianunicode
($rows | ConvertTo-Xml -Depth 2 -NoTypeInformation).Save("$Out/untyped.save.xml")
$rows | ConvertTo-Xml -Depth 2 -NoTypeInformation -As Stream | Set-Content "$Out/untyped.stream.xml" -Encoding utf8BOM
