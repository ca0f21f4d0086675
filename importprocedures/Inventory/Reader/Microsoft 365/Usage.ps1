<#
.SYNOPSIS
Reads Microsoft's usage reports: the table of reports, their download, and a row for each row of their CSV.

.DESCRIPTION
Graph answers a report with the address of a download. That address is a secret: it is fetched without the token,
from https hosts that are allowed only, and is never shown. The download goes into a file of this account's temporary
folder that nobody else can open and that ends with the step.

Runs on Windows PowerShell 5.1 and PowerShell 7. docs/readers.md describes the reports.

.EXAMPLE
. ./Usage.ps1; Select-Microsoft365Report 'getEmailActivityUserDetail,getMailboxUsageDetail'

Shows these reports as the table has them.
#>

$Microsoft365Hosts = 'office.com'    # and its subdomains: where downloads may come from

# Default: whether it is read where no report is named. Version: below which it lies. Query: how the period is
# given. Retired: whether it may be gone. Devices: whether it counts the devices on which something was activated.
$Microsoft365Reports = foreach ($report in
    @{ Name = 'getOffice365ActiveUserDetail'; Default = $true },
    @{ Name = 'getOffice365ActivationsUserDetail'; Default = $true; Query = ''; Devices = $true },
    @{ Name = 'getM365AppUserDetail'; Default = $true },
    @{ Name = 'getEmailActivityUserDetail' },
    @{ Name = 'getMailboxUsageDetail' },
    @{ Name = 'getOneDriveActivityUserDetail' },
    @{ Name = 'getOneDriveUsageAccountDetail' },
    @{ Name = 'getSharePointActivityUserDetail' },
    @{ Name = 'getTeamsUserActivityUserDetail' },
    @{ Name = 'getSkypeForBusinessActivityUserDetail'; Retired = $true },
    @{ Name = 'getYammerActivityUserDetail' },
    @{ Name = 'getMicrosoft365CopilotUsageUserDetail'; Default = $true; Version = '/beta'
        Query = '(period=''{0}'')?$format=text/csv'
    }) {
    $usual = @{ Default = $false; Version = '/v1.0'; Query = '(period=''{0}'')'; Retired = $false; Devices = $false }
    foreach ($key in $report.Keys) { $usual[$key] = $report[$key] }
    $usual
}

$Microsoft365Escaped = [char[]]"\;`r`n"    # in Details

# Where to switch off what hides the names.
$Microsoft365Switch = 'Switch it off in the Microsoft 365 admin centre under Settings > Org settings > Services > ' +
    'Reports; that can take 48 hours'

# --- what is asked for ---

function Select-Microsoft365Report([string]$Reports) {
    # The reports that a list of names asks for, in the table's order.
    $names = @(foreach ($name in $Reports.Split(',')) { if ($name.Trim()) { $name.Trim() } })
    if ($names.Count -eq 1 -and $names[0] -eq 'none') { return }
    foreach ($name in $names) {
        $known = @(foreach ($report in $Microsoft365Reports) { $report['Name'] })
        if ($known -notcontains $name) { throw "Reports: there is no report '$name'; there are: $($known -join ', ')" }
    }
    foreach ($report in $Microsoft365Reports) {
        if ($names -contains $report['Name'] -or (-not $names.Count -and $report['Default'])) { $report }
    }
}

function Confirm-Microsoft365Period([string]$Period) {
    # The period, D30 if none is given.
    if (-not $Period.Trim()) { return 'D30' }
    if ($Period.Trim() -notin 'D7', 'D30', 'D90', 'D180') {
        throw "Period is '$Period', expected D7, D30, D90 or D180"
    }
    $Period.Trim().ToUpperInvariant()
}

function Test-Microsoft365Concealed($Graph) {
    # Whether the tenant's setting hides names in reports; where it cannot be read, the data tell.
    $answer = Invoke-Microsoft365Request $Graph ($Graph['Base'] + '/admin/reportSettings')
    if ($answer['Status'] -in 400, 403, 404) { return $false }
    Confirm-Microsoft365Answer $answer 'ReportSettings.Read.All'
    $settings = ConvertFrom-Microsoft365Json $answer['Text']
    $concealed = Get-Microsoft365Value $settings 'displayConcealedNames'
    $concealed -is [bool] -and $concealed
}

# --- the download ---

# An address with the name of a user, or with characters that one program takes for others.
$Microsoft365Ambiguous = '^[^/]*//[^/?#]*@|\\|[^!-~]'

function Open-Microsoft365File {
    # A file in the account's temporary folder that nobody else can open, and that is gone when it is closed.
    $path = [System.IO.Path]::GetTempFileName()
    New-Object -TypeName System.IO.FileStream -ArgumentList $path, ([System.IO.FileMode]::Open),
    ([System.IO.FileAccess]::ReadWrite), ([System.IO.FileShare]::None), 65536, ([System.IO.FileOptions]::DeleteOnClose)
}

function Save-Microsoft365Report($Graph, $Report, [string]$Period, [string]$Hosts, $File) {
    # Asks for a report and downloads it into a file; returns the answer that was the last.
    $name = $Report['Name']
    $root = $Graph['Base'] -replace '/v1\.0$', $Report['Version']
    $link = $root + '/reports/' + $name + ($Report['Query'] -f $Period)
    for ($try = 1; ; $try++) {
        $answer = Invoke-Microsoft365Request $Graph $link @{} $File
        if ($answer['Status'] -ne 302) { return $answer }
        $place = Confirm-Microsoft365Place $Graph $name $answer['Location'] $Hosts
        $answer = Invoke-Microsoft365Request $null $place @{} $File
        if ($answer['Status'] -eq 200) { return $answer }
        if ($answer['Status'] -lt 400 -or $answer['Status'] -ge 500) {
            throw "the download of $name failed: $($answer['Said'])"
        }
        if ($try -eq 2) { throw "gave up after $try attempts: the download of $name was refused: $($answer['Said'])" }
        Write-Verbose "the download of $name failed with HTTP $($answer['Status']); asking for it again"
    }
}

function Confirm-Microsoft365Place($Graph, [string]$Name, [string]$Place, [string]$Hosts) {
    # The address of a download, if it may be fetched. It is a secret: nothing but its host is ever told.
    $ours = [Uri]$Graph['Base']
    $uri = $null
    if (-not [Uri]::TryCreate($Place, [UriKind]::Absolute, [ref]$uri)) {
        throw "the download of $Name has no address"
    }
    if ($Place -match $Microsoft365Ambiguous) {
        throw "the download of $Name has an address that can be read in two ways, so it was not fetched"
    }
    if ($ours.Scheme -eq 'http' -and $uri.Scheme -eq 'http' -and $uri.Authority -eq $ours.Authority) { return $Place }
    if ($uri.Scheme -ne 'https') { throw "the download of $Name is offered without https, so it was not fetched" }
    $there, $ordinal = $uri.IdnHost, [StringComparison]::OrdinalIgnoreCase
    $allowed = ".$there".EndsWith('.' + $Microsoft365Hosts, $ordinal)
    foreach ($one in $Hosts.Split(',')) { if ($there.Equals($one.Trim().Trim('[', ']'), $ordinal)) { $allowed = $true } }
    if (-not $allowed) {
        throw "the download of $Name is offered by $there, so it was not fetched; " +
            'if that host is Microsoft''s, name it in ReportHosts'
    }
    $Place
}

# --- rows ---

# Our columns, each with the names that Microsoft's reports give it.
$Microsoft365Columns = @{
    ReportRefreshDate = @('Report Refresh Date')
    ReportPeriod      = @('Report Period')
    UserPrincipalName = @('User Principal Name', 'Owner Principal Name')
    Product           = @('Product Type')
    IsDeleted         = @('Is Deleted')
    LastActivityDate  = @('Last Activity Date', 'Last Activated Date')
    AssignedProducts  = @('Assigned Products')
}

# Columns of activations that say on how many devices.
$Microsoft365Devices = 'Windows', 'Mac', 'Windows 10 Mobile', 'iOS', 'Android'

# What they say of whether somebody is deleted.
$Microsoft365Flags = @{ '' = $null; 'True' = 'true'; 'False' = 'false' }

function Get-Microsoft365Plan($Csv, $Report, [string]$Period) {
    # Where in a report's rows everything lies; a column that it has not lies behind the last, where cells are null.
    $plan = @{ Report = $Report['Name']; Details = @(); Newest = @(); Counts = @(); Moments = @{ '' = $null }
        Numbers = @{ '' = 0 }; Periods = @{ '' = $Period }
    }
    if (-not $Report['Query']) { $plan['Periods'][''] = 'ALL' }
    $header = $Csv['Header']
    foreach ($column in $Microsoft365Columns.Keys) {
        $plan[$column] = $header.Length
        for ($i = $header.Length - 1; $i -ge 0; $i--) {
            if ($header[$i] -in $Microsoft365Columns[$column]) { $plan[$column] = $i }
        }
    }
    foreach ($column in 'UserPrincipalName', 'ReportRefreshDate') {
        if ($plan[$column] -eq $header.Length) {
            throw "$($Csv['Name']) has no column $($Microsoft365Columns[$column][0])"
        }
    }
    $used = foreach ($column in $Microsoft365Columns.Keys) { $plan[$column] }
    $plan['Names'] = [string[]]@(foreach ($name in $header) { (ConvertTo-Microsoft365Detail $name) + '=' })
    for ($i = 0; $i -lt $header.Length; $i++) {
        if ($used -notcontains $i) { $plan['Details'] += $i }
        if ($used -notcontains $i -and $header[$i] -like '* Last Activity Date') { $plan['Newest'] += $i }
        if ($Report['Devices'] -and $header[$i] -in $Microsoft365Devices) { $plan['Counts'] += $i }
    }
    if ($plan['LastActivityDate'] -lt $header.Length) { $plan['Newest'] = @($plan['LastActivityDate']) }
    $plan
}

function Open-Microsoft365Packed($File, [string]$Packing) {
    # The content of a file, unpacked if its answer said that it is packed.
    $File.Position = 0
    $unpack = [System.IO.Compression.CompressionMode]::Decompress
    if ($Packing -eq 'gzip') {
        return New-Object -TypeName System.IO.Compression.GZipStream -ArgumentList $File, $unpack
    }
    if ($Packing -ne 'deflate') { return $File }
    # Usually with the two bytes of zlib before it.
    $File.Position = 2 * (($File.ReadByte() -band 15) -eq 8)
    New-Object -TypeName System.IO.Compression.DeflateStream -ArgumentList $File, $unpack
}

function Read-Microsoft365Report($Report, [string]$Period, $File, [string]$Packing) {
    # Emits a row for each row of a downloaded report, and names the gap if it hides names.
    if (-not $File.Length -and $Report['Retired']) { Write-Microsoft365Absence $Report; return }
    $content = Open-Microsoft365Packed $File $Packing
    $utf8 = New-Object -TypeName System.Text.UTF8Encoding -ArgumentList $true, $true
    $reader = New-Object -TypeName System.IO.StreamReader -ArgumentList $content, $utf8, $false
    $csv = Open-Microsoft365Csv $Report['Name'] $reader
    $plan = Get-Microsoft365Plan $csv $Report $Period
    $hidden = 0
    $principal = $plan['UserPrincipalName']
    while ($rows = Read-Microsoft365Csv $csv) {
        foreach ($cells in $rows) { if ($cells[$principal].IndexOf('@') -lt 0) { $hidden++ } }
        ConvertTo-Microsoft365Usage $plan $rows ($csv['Row'] - $rows.Count) $csv['IsOdd']
    }
    if ($hidden) {
        Write-Warning ("gap concealed: $($plan['Report']) hides the names in $hidden of $($csv['Row']) rows. " +
            $Microsoft365Switch)
    }
    if (-not $csv['Row'] -and $Report['Retired']) { Write-Microsoft365Absence $Report }
}

function Write-Microsoft365Absence($Report) {
    # A report that is not there is a fact, not a gap.
    Write-Verbose "fact: $($Report['Name']) is not offered by this cloud, or retired"
}

function ConvertTo-Microsoft365Usage($Plan, $Rows, [int]$Row, [bool]$IsOdd) {
    # Emits our rows for rows of a report, the first of them after that many others. A cell costs no function call,
    # unless it has to be escaped.
    $report, $moments, $periods, $names = $Plan['Report'], $Plan['Moments'], $Plan['Periods'], $Plan['Names']
    $details, $newest, $counts, $numbers = $Plan['Details'], $Plan['Newest'], $Plan['Counts'], $Plan['Numbers']
    $refreshed, $period, $principal = $Plan['ReportRefreshDate'], $Plan['ReportPeriod'], $Plan['UserPrincipalName']
    $product, $deleted, $assigned = $Plan['Product'], $Plan['IsDeleted'], $Plan['AssignedProducts']
    $line = New-Object -TypeName System.Text.StringBuilder
    foreach ($cells in $Rows) {
        $Row++
        $date = $cells[$refreshed]
        if (-not $moments.ContainsKey($date)) { $moments[$date] = ConvertFrom-Microsoft365Date $report $Row $date }
        $last = ''
        foreach ($i in $newest) {
            $one = $cells[$i]
            if (-not $moments.ContainsKey($one)) { $moments[$one] = ConvertFrom-Microsoft365Date $report $Row $one }
            if ([string]::CompareOrdinal($one, $last) -gt 0) { $last = $one }
        }
        $of = [string]$cells[$period]
        if (-not $periods.ContainsKey($of)) { $periods[$of] = $of -replace '^(?=[0-9]+\z)', 'D' }
        [void]$line.Clear()
        foreach ($i in $details) {
            $cell = $cells[$i]
            if (-not $cell) { continue }
            if ($IsOdd -and $cell.IndexOfAny($Microsoft365Escaped) -ge 0) { $cell = ConvertTo-Microsoft365Detail $cell }
            if ($line.Length) { [void]$line.Append(';') }
            [void]$line.Append($names[$i]).Append($cell)
        }
        $is = [string]$cells[$deleted]
        if (-not $Microsoft365Flags.ContainsKey($is)) {
            throw "${report}: row $Row says Is Deleted $(Format-Microsoft365Value $is), expected True or False"
        }
        $devices = $null
        foreach ($i in $counts) {
            $one = $cells[$i]
            if (-not $numbers.ContainsKey($one)) { $numbers[$one] = ConvertFrom-Microsoft365Number $report $Row $one }
            $devices += $numbers[$one]
        }
        [pscustomobject]@{
            Report            = $report
            ReportRefreshDate = $moments[$date]
            ReportPeriod      = $periods[$of]
            UserPrincipalName = if ($cells[$principal]) { $cells[$principal] } else { $null }
            Product           = if ($cells[$product]) { $cells[$product] } else { $null }
            IsDeleted         = $Microsoft365Flags[$is]
            LastActivityDate  = $moments[$last]
            ActivatedDevices  = $devices
            AssignedProducts  = if ($cells[$assigned]) { $cells[$assigned] } else { $null }
            Details           = if ($line.Length) { $line.ToString() } else { $null }
        }
    }
}

function ConvertTo-Microsoft365Detail([string]$Text) {
    # A name or value of Details, escaped.
    $Text.Replace('\', '\\').Replace(';', '\;').Replace("`r", '\r').Replace("`n", '\n')
}

function ConvertFrom-Microsoft365Date([string]$Name, [int]$Row, [string]$Text) {
    # yyyy-MM-dd as the moment at which that day begins.
    $day = [DateTime]::MinValue
    $invariant = [System.Globalization.CultureInfo]::InvariantCulture
    if (-not [DateTime]::TryParseExact($Text, 'yyyy-MM-dd', $invariant, 'None', [ref]$day)) {
        throw "${Name}: row $Row has the date $(Format-Microsoft365Value $Text), expected one such as 2026-11-24"
    }
    $Text + 'T00:00:00'
}

function ConvertFrom-Microsoft365Number([string]$Name, [int]$Row, [string]$Text) {
    # A count as a number.
    if ($Text -notmatch '^[0-9]{1,9}\z') {
        throw "${Name}: row $Row counts $(Format-Microsoft365Value $Text) devices, expected a number"
    }
    [int]$Text
}
