@{
    RootModule        = 'MSOnline.psm1'
    ModuleVersion     = '1.1.183.81'
    GUID              = '5f0c6b0e-0d0f-4f3b-9f63-6d5e6a0b7c11'
    Author            = 'beacon-bridge'
    Description       = 'A double of the module MSOnline for tests: it serves a simulated tenant.'
    FunctionsToExport = 'Connect-MsolService', 'Get-MsolAccountSku', 'Get-MsolSubscription', 'Get-MsolUser'
}
