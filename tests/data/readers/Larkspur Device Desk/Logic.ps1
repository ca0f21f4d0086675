[Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12

# Larkspur Device Desk, REST interface 8.x.
# Every function signs in for itself; sessions end when the next one begins.

$LarkspurPageSize = 20
$script:LarkspurDeskNames = @{}

function OpenLarkspur {
    param(
        [Parameter(Mandatory = $true)][string]$ServiceUrl,
        [Parameter(Mandatory = $true)][string]$Account,
        [Parameter(Mandatory = $true)][string]$AccountKey
    )
    try {
        $body = ConvertTo-Json @{ account = $Account; key = $AccountKey }
        $answer = Invoke-RestMethod -Method Post -Uri "$ServiceUrl/api/login" -Body $body -ContentType 'application/json' -ErrorAction Stop
    }
    catch {
        Write-Verbose "sign-in as $Account failed"
        throw
    }
    return @{ 'X-Larkspur-Session' = $answer.session; 'Accept' = 'application/json' }
}

# Emits the items of every page.
function PageLarkspur {
    param([string]$Uri, $Headers)
    $skip = 0
    do {
        try {
            $page = Invoke-RestMethod -Uri "$($Uri)?skip=$skip&take=$LarkspurPageSize" -Headers $Headers -ErrorAction Stop
        }
        catch {
            Write-Verbose "page from $skip on: $($_.Exception.Message)"
            throw
        }
        $page.items
        $skip += $page.items.Count
    } while ($page.more)
}

function LarkspurVersion {
    param([Parameter(Mandatory = $true)][string]$ServiceUrl)
    $about = Invoke-RestMethod -Uri "$ServiceUrl/api/about" -ErrorAction Stop
    if ($about.release -notmatch '^(\d+)\.(\d+)') {
        throw "The release '$($about.release)' has an unknown form."
    }
    New-Object PSObject -Property @{ Product = $about.product; Version = "$($Matches[1]).$($Matches[2])" }
}

function TestLarkspur {
    param(
        [Parameter(Mandatory = $true)][string]$ServiceUrl,
        [Parameter(Mandatory = $true)][string]$Account,
        [Parameter(Mandatory = $true)][string]$AccountKey
    )
    try {
        $headers = OpenLarkspur -ServiceUrl $ServiceUrl -Account $Account -AccountKey $AccountKey
        $answer = Invoke-RestMethod -Uri "$ServiceUrl/api/desks" -Headers $headers -ErrorAction Stop
        Write-Verbose "$(@($answer.desks).Count) desks can be seen"
        return 'OK'
    }
    catch {
        Write-Error "Larkspur cannot be used: $($_.Exception.Message)" -ErrorAction Continue
        exit
    }
}

function ReadLarkspurDesks {
    param(
        [Parameter(Mandatory = $true)][string]$ServiceUrl,
        [Parameter(Mandatory = $true)][string]$Account,
        [Parameter(Mandatory = $true)][string]$AccountKey
    )
    $headers = OpenLarkspur $ServiceUrl $Account $AccountKey
    $answer = Invoke-RestMethod -Uri "$ServiceUrl/api/desks" -Headers $headers -ErrorAction Stop
    # with one desk, desks is that desk and no list
    Write-Verbose "$($answer.desks.Count) desks"
    foreach ($desk in $answer.desks) {
        $script:LarkspurDeskNames["$($desk.id)"] = $desk.name
        [PSCustomObject]@{ Town = $desk.town; DeskName = $desk.name; DeskID = $desk.id }
    }
}

function ReadLarkspurDevices {
    param(
        [Parameter(Mandatory = $true)][string]$ServiceUrl,
        [Parameter(Mandatory = $true)][string]$Account,
        [Parameter(Mandatory = $true)][string]$AccountKey
    )
    $headers = OpenLarkspur -ServiceUrl $ServiceUrl -Account $Account -AccountKey $AccountKey
    $row = New-Object PSObject -Property @{ Spare = $false; SerialNo = $null; DeskName = ''; DeviceName = ''; DeviceID = 0 }
    $count = 0
    foreach ($device in PageLarkspur -Uri "$ServiceUrl/api/devices" -Headers $headers) {
        $row.DeviceID = $device.id
        $row.DeviceName = $device.name
        $row.SerialNo = $device.serial
        $row.DeskName = $script:LarkspurDeskNames["$($device.desk)"]
        $row.Spare = $device.spare
        $row
        $count++
        Write-Verbose "device $count '$($device.name)'"
    }
}

function ReadLarkspurSpares {
    param(
        [Parameter(Mandatory = $true)][string]$ServiceUrl,
        [Parameter(Mandatory = $true)][string]$Account,
        [Parameter(Mandatory = $true)][string]$AccountKey
    )
    $headers = OpenLarkspur -ServiceUrl $ServiceUrl -Account $Account -AccountKey $AccountKey
    $row = New-Object PSObject
    $row | Add-Member -MemberType NoteProperty -Name 'Spare' -Value $true
    $row | Add-Member -MemberType NoteProperty -Name 'DeskName' -Value $null
    $row | Add-Member -MemberType NoteProperty -Name 'SerialNo' -Value $null
    $row | Add-Member -MemberType NoteProperty -Name 'DeviceName' -Value $null
    $row | Add-Member -MemberType NoteProperty -Name 'DeviceID' -Value $null
    PageLarkspur -Uri "$ServiceUrl/api/spares" -Headers $headers | ForEach-Object {
        $row.DeviceID = $_.id
        $row.DeviceName = $_.name
        $row.SerialNo = $_.serial
        Write-Output $row
    }
}

function ReadLarkspurNotes {
    param(
        [Parameter(Mandatory = $true)][string]$ServiceUrl,
        [Parameter(Mandatory = $true)][string]$Account,
        [Parameter(Mandatory = $true)][string]$AccountKey
    )
    $headers = OpenLarkspur -ServiceUrl $ServiceUrl -Account $Account -AccountKey $AccountKey
    foreach ($note in PageLarkspur -Uri "$ServiceUrl/api/notes" -Headers $headers) {
        $values = @{}
        $values.Note = $note.text
        $values.DeviceID = $note.device
        $values.Written = $note.written
        New-Object -TypeName PSObject -Property $values
    }
}

function ReadLarkspurQuotas {
    param(
        [Parameter(Mandatory = $true)][string]$ServiceUrl,
        [Parameter(Mandatory = $true)][string]$Account,
        [Parameter(Mandatory = $true)][string]$AccountKey
    )
    $headers = OpenLarkspur -ServiceUrl $ServiceUrl -Account $Account -AccountKey $AccountKey
    # releases before 8.11 do not know quotas
    foreach ($quota in PageLarkspur -Uri "$ServiceUrl/api/quotas" -Headers $headers) {
        [PSCustomObject]@{ DeskID = $quota.desk; Quota = $quota.devices }
    }
}

function ReadLarkspurPrograms {
    param(
        [Parameter(Mandatory = $true)][string]$ServiceUrl,
        [Parameter(Mandatory = $true)][string]$Account,
        [Parameter(Mandatory = $true)][string]$AccountKey
    )
    $headers = OpenLarkspur -ServiceUrl $ServiceUrl -Account $Account -AccountKey $AccountKey
    $row = New-Object PSObject -Property @{ Title = ''; Release = ''; Maker = ''; ProgramID = 0 }
    foreach ($program in PageLarkspur -Uri "$ServiceUrl/api/programs" -Headers $headers) {
        if ($program.kind -ne 'package') {
            Write-Verbose "program $($program.id) is of the unsupported kind '$($program.kind)', skipped"
            continue
        }
        $row.ProgramID = $program.id
        $row.Title = $program.title
        $row.Maker = $program.maker
        $row.Release = $program.release
        $row
    }
}

function LoansOfLarkspur {
    param($ServiceUrl, $Headers, [string]$State)
    foreach ($loan in PageLarkspur -Uri "$ServiceUrl/api/loans" -Headers $Headers) {
        if ($State -and $loan.state -ne $State) { continue }
        try {
            $person = Invoke-RestMethod -Uri "$ServiceUrl/api/people/$($loan.person)" -Headers $Headers -ErrorAction Stop
        }
        catch {
            if ([int]$_.Exception.Response.StatusCode -ne 404) { throw }
            Write-Verbose "person $($loan.person) of loan $($loan.id) not found, skipping"
            continue
        }
        $loan | Select-Object @{ Name = 'Due'; Expression = { $_.due } },
            @{ Name = 'Holder'; Expression = { $person.name } },
            @{ Name = 'DeviceID'; Expression = { $_.device } },
            @{ Name = 'LoanID'; Expression = { $_.id } }
    }
}

function ReadLarkspurLoans {
    param(
        [Parameter(Mandatory = $true)][string]$ServiceUrl,
        [Parameter(Mandatory = $true)][string]$Account,
        [Parameter(Mandatory = $true)][string]$AccountKey
    )
    $headers = OpenLarkspur -ServiceUrl $ServiceUrl -Account $Account -AccountKey $AccountKey
    LoansOfLarkspur $ServiceUrl $headers
}

function ReadLarkspurOpenLoans {
    param(
        [Parameter(Mandatory = $true)][string]$ServiceUrl,
        [Parameter(Mandatory = $true)][string]$Account,
        [Parameter(Mandatory = $true)][string]$AccountKey
    )
    $headers = OpenLarkspur -ServiceUrl $ServiceUrl -Account $Account -AccountKey $AccountKey
    LoansOfLarkspur $ServiceUrl $headers -State 'open'
}

function ReadLarkspurHandovers {
    param(
        [Parameter(Mandatory = $true)][string]$ServiceUrl,
        [Parameter(Mandatory = $true)][string]$Account,
        [Parameter(Mandatory = $true)][string]$AccountKey
    )
    $headers = OpenLarkspur -ServiceUrl $ServiceUrl -Account $Account -AccountKey $AccountKey
    # a list, or the one handover without a list
    $handovers = Invoke-RestMethod -Uri "$ServiceUrl/api/handovers" -Headers $headers -ErrorAction Stop
    Write-Verbose "$($handovers.Count) handovers"
    foreach ($handover in $handovers) {
        [PSCustomObject]@{
            Items      = $handover.devices.Count
            Clerk      = $handover.clerk
            HandoverID = $handover.id
        }
    }
}
