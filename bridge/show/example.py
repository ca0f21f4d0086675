"""The complete, commented bridge.toml that `beacon-bridge settings --example` prints."""

from __future__ import annotations

EXAMPLE = r"""# bridge.toml: where beacon-bridge finds this beacon, and which tenants it reads.
# Windows paths stand between single quotes.

[beacon]                                 # all of it is optional
# root = 'C:\ProgramData\Flexera Software'   # unset: the registry tells
# release = "2024 R1"                    # unset: both labels of a source type are shown
saas_management = "unknown"              # yes | no | unknown: is Flexera SaaS Management in use?

[bridge]
# state = 'D:\beacon-bridge'             # runs, logs; unset: C:\ProgramData\beacon-bridge
# keep_captures = 35                     # days that captures are kept; 0: for ever

[http]                                   # how the network is reached; all of it is optional
# proxy = "http://proxy.example:8080"    # or system (as the account has it), or none
# proxy_user = "beacon"                  # for a proxy that asks
# proxy_password = "store:proxy"
# no_proxy = ["intranet.example"]
# ca_bundle = 'D:\authorities.pem'       # trusted instead of the public authorities, where a proxy opens TLS

[connections."Contoso EU"]               # letters, digits, underscores, blanks
reader = "bridge:Microsoft 365"          # "Microsoft 365" is the beacon's folder, "bridge:..." is ours,
                                         # or an absolute path in single quotes
tenant = "contoso.example"               # one connection a tenant
engine = "powershell"                    # powershell | native (our Microsoft 365 reader, in Python)
cloud = "global"                         # global | gcc | gcc-high | dod | 21vianet
# deliver_to = 'D:\Outbox'               # unset: packages wait in the run's folder, which is no error
optional = []                            # gap names that may occur without failing the run
tolerate_errors = []                     # FullyQualifiedErrorId of errors that are known and harmless
skip_patterns = ['(?i)\bskip(ped|ping)?\b', '(?i)not found']   # verbose lines that mean "left out"
too_long = "refuse"                      # refuse | cut: a text longer than its column
# count_slack = 0.005                    # how far the users read may differ from Graph's count: 0.5 %
# max_drop = 0.5                         # a step that lost more than half its rows makes no package

[connections."Contoso EU".signin]        # docs/register-app.md has both ways
flow = "secret"                          # secret | certificate | refresh
client_id = "11111111-2222-3333-4444-555555555555"
secret = "store:contoso-app"             # store:NAME, file:PATH, env:NAME or stdin:NAME
# certificate = "store:contoso-cert"     # flow certificate: a PFX, or a PEM with its key
# passphrase = "store:contoso-cert-password"
# refresh_token = "store:contoso-refresh"   # flow refresh: `beacon-bridge signin` fills it

[connections."Contoso EU".parameters]    # what the reader folder declares; `beacon-bridge list` shows it
GraphRoot = "https://graph.microsoft.com"   # our own folder needs none: cloud and signin fill them
# ApiKey = { secret = "store:contoso-key" }
# RefreshToken = { refresh_token = true }   # redeemed and renewed before each run

[connections."Contoso EU".minutes]       # 0: no limit
step = 120                               # one step
run = 600                                # all steps
silence = 30                             # since the last row or message of the reader
"""
