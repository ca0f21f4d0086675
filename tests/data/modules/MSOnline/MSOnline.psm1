# A double of Microsoft's retired module MSOnline: the cmdlets that our reader calls, over files beside this one.
#
# world.json   whom it lets in (user, password), and with "refusal" what it says instead of letting anybody in
# *.jsonl      one object a line; a text begins with what it is: s text, g Guid, d moment in UTC, e Enum.Value, and
#              r the number of a line in Shared.jsonl, whose lists of service plans many users have
#
# The names of the properties and of the values of enums are public: Microsoft's pages of the cmdlets, and scripts that
# used them. tests/msonline.py says what of their meaning is inferred.

enum ProvisioningStatus { None; Success; Error; PendingInput; Disabled; PendingActivation; PendingProvisioning; Warning }
enum SkuTargetClass { NotAvailable; User; Tenant }
enum SubscriptionStatus { Enabled; Warning; Suspended; Deleted; LockedOut }
enum UserType { Other; Member; Guest; Viral }

$World = ConvertFrom-Json -InputObject ([IO.File]::ReadAllText("$PSScriptRoot/world.json"))
$Connected = $false
$Shared = New-Object -TypeName Collections.ArrayList
$Users = $null    # all of them, once they were read: two steps of the reader ask for them

function New-MsolFault([string]$Message, [string]$Name) {
    $exception = New-Object -TypeName InvalidOperationException -ArgumentList $Message
    $id = "Microsoft.Online.Administration.Automation.$Name"
    New-Object -TypeName Management.Automation.ErrorRecord -ArgumentList $exception, $id, 'OperationStopped', $null
}

function ConvertFrom-MsolFile($Value) {
    if ($Value -is [array]) { return , [object[]]@(foreach ($one in $Value) { ConvertFrom-MsolFile $one }) }
    if ($Value -is [Management.Automation.PSCustomObject]) {
        $made = [ordered]@{}
        foreach ($property in $Value.psobject.Properties) { $made[$property.Name] = ConvertFrom-MsolFile $property.Value }
        return [pscustomobject]$made
    }
    if ($Value -isnot [string]) { return $Value }
    $text = $Value.Substring(1)
    switch -CaseSensitive ($Value[0]) {
        's' { return $text }
        'g' { return [guid]$text }
        'd' { return [DateTime]::Parse($text, [Globalization.CultureInfo]::InvariantCulture, 'RoundtripKind') }
        'r' { return , $Shared[[int]$text] }
        'e' { $type, $name = $text.Split('.'); return ($type -as [type])::$name }
    }
    throw "no kind of text: $Value"
}

function Read-MsolFile([string]$Name, [int]$Most = [int]::MaxValue) {
    if (-not $script:Connected) {
        throw (New-MsolFault 'You must call the Connect-MsolService cmdlet before calling any other cmdlets.' 'MicrosoftOnlineException')
    }
    foreach ($line in [IO.File]::ReadLines("$PSScriptRoot/$Name.jsonl")) {
        if ($Most-- -le 0) { return }
        ConvertFrom-MsolFile (ConvertFrom-Json -InputObject $line)
    }
}

function Connect-MsolService {
    [CmdletBinding()]
    param([Parameter(Mandatory)][pscredential]$Credential)
    $network = $Credential.GetNetworkCredential()
    if ($World.refusal) { $PSCmdlet.ThrowTerminatingError((New-MsolFault $World.refusal 'MicrosoftOnlineException')) }
    if ($Credential.UserName -cne $World.user -or $network.Password -cne $World.password) {
        $PSCmdlet.ThrowTerminatingError((New-MsolFault 'Authentication Error: Bad username or password.' 'MicrosoftOnlineException'))
    }
    $script:Connected = $true
    if ($Shared.Count) { return }
    foreach ($line in [IO.File]::ReadLines("$PSScriptRoot/Shared.jsonl")) {
        [void]$Shared.Add((ConvertFrom-MsolFile (ConvertFrom-Json -InputObject $line).plans))
    }
}

function Get-MsolAccountSku {
    [CmdletBinding()]
    param()
    Read-MsolFile 'AccountSku'
}

function Get-MsolSubscription {
    [CmdletBinding()]
    param()
    Read-MsolFile 'Subscription'
}

function Get-MsolUser {
    # Without -All it shows 500 users at most, as Microsoft's did.
    [CmdletBinding()]
    param([switch]$All, [int]$MaxResults = 500)
    if (-not $All) { return Read-MsolFile 'User' $MaxResults }
    if ($null -eq $Users) { $script:Users = @(Read-MsolFile 'User') }
    $Users
}
