
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'egressctl' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'egressctl'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'egressctl' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('create', 'create', [CompletionResultType]::ParameterValue, 'Create resources from files, directories, URLs or standard input')
            [CompletionResult]::new('apply', 'apply', [CompletionResultType]::ParameterValue, 'Create the resources that files declare, or change them to what is declared there')
            [CompletionResult]::new('replace', 'replace', [CompletionResultType]::ParameterValue, 'Replace resources that are there by what files declare')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Show resources as a table, or as YAML, JSON or what a template finds in them')
            [CompletionResult]::new('describe', 'describe', [CompletionResultType]::ParameterValue, 'Show all fields of resources, by name, by the start of a name, or by labels')
            [CompletionResult]::new('delete', 'delete', [CompletionResultType]::ParameterValue, 'Delete resources by name, by labels, or those that files declare')
            [CompletionResult]::new('allow', 'allow', [CompletionResultType]::ParameterValue, 'Let calls of a workload to a host go for a while, whatever policies and routes say')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'Show the access log: all of it, or the entries of a level, a time, or a pattern')
            [CompletionResult]::new('trace', 'trace', [CompletionResultType]::ParameterValue, 'Show what would happen to a call, and why: routes, rules, checks, and the lines that would be logged')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Show which recorded calls a changed configuration would refuse, and which let through')
            [CompletionResult]::new('generate', 'generate', [CompletionResultType]::ParameterValue, 'Write manifests out of recorded calls')
            [CompletionResult]::new('why', 'why', [CompletionResultType]::ParameterValue, 'Show why a call was refused, or that it was let go: the recorded decision, the values that were compared, and what would have let it through')
            [CompletionResult]::new('validate', 'validate', [CompletionResultType]::ParameterValue, 'Check files without registry and proxy: exit status 0 if all is valid, though there may be warnings, 1 if not')
            [CompletionResult]::new('analyze', 'analyze', [CompletionResultType]::ParameterValue, 'Find what is wrong with everything that is declared together: what is missing, in conflict, shadowed, hidden by encryption, or without effect. Exit status 79 if anything is as bad as --failure-threshold')
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Run a command of this machine as a workload, in a sandbox that only its sidecar leads out of')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run a command of this machine as a workload, in a sandbox that only its sidecar leads out of')
            [CompletionResult]::new('proxy', 'proxy', [CompletionResultType]::ParameterValue, 'Start, ask and stop the forward proxy')
            [CompletionResult]::new('proxy-config', 'proxy-config', [CompletionResultType]::ParameterValue, 'Show what running proxies have compiled, and which resource each piece came from')
            [CompletionResult]::new('pc', 'pc', [CompletionResultType]::ParameterValue, 'Show what running proxies have compiled, and which resource each piece came from')
            [CompletionResult]::new('proxy-status', 'proxy-status', [CompletionResultType]::ParameterValue, 'Show whether running proxies are in step with what is declared')
            [CompletionResult]::new('ps', 'ps', [CompletionResultType]::ParameterValue, 'Show whether running proxies are in step with what is declared')
            [CompletionResult]::new('identity', 'identity', [CompletionResultType]::ParameterValue, 'Show, rotate and use the certificate authority that vouches for workloads')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Take the guided tour: declare, forward over TLS, record, ask; every step is checked')
            [CompletionResult]::new('eval', 'eval', [CompletionResultType]::ParameterValue, 'Try an expression of a rule or an instance: print its value and type, or what is wrong with it')
            [CompletionResult]::new('api-resources', 'api-resources', [CompletionResultType]::ParameterValue, 'List the kinds of resources that can be declared')
            [CompletionResult]::new('completion', 'completion', [CompletionResultType]::ParameterValue, 'Print a script that completes commands and flags in bash, zsh, fish, elvish or powershell')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'Print the version of this program')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'egressctl;create' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'File, directory or URL with the resources; - reads standard input')
            [CompletionResult]::new('--filename', '--filename', [CompletionResultType]::ParameterName, 'File, directory or URL with the resources; - reads standard input')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Check everything, but change nothing: none, client or server')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-R', '-R ', [CompletionResultType]::ParameterName, 'Read the directories below those named by -f, too')
            [CompletionResult]::new('--recursive', '--recursive', [CompletionResultType]::ParameterName, 'Read the directories below those named by -f, too')
            [CompletionResult]::new('--save-config', '--save-config', [CompletionResultType]::ParameterName, 'Keep what was declared in an annotation, so that apply can be used later')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('namespace', 'namespace', [CompletionResultType]::ParameterValue, 'Create a namespace')
            [CompletionResult]::new('ns', 'ns', [CompletionResultType]::ParameterValue, 'Create a namespace')
            [CompletionResult]::new('serviceaccount', 'serviceaccount', [CompletionResultType]::ParameterValue, 'Create a service account')
            [CompletionResult]::new('sa', 'sa', [CompletionResultType]::ParameterValue, 'Create a service account')
            [CompletionResult]::new('token', 'token', [CompletionResultType]::ParameterValue, 'Print a token for a service account')
            break
        }
        'egressctl;create;namespace' {
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Check everything, but change nothing: none, client or server')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;create;ns' {
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Check everything, but change nothing: none, client or server')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;create;serviceaccount' {
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Check everything, but change nothing: none, client or server')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;create;sa' {
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Check everything, but change nothing: none, client or server')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;create;token' {
            [CompletionResult]::new('--duration', '--duration', [CompletionResultType]::ParameterName, 'How long it is good, from 1s to 8760h; 0 stands for 1h')
            [CompletionResult]::new('--audience', '--audience', [CompletionResultType]::ParameterName, 'Whom it is for; the proxy takes only those for egressctl; repeatable')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;apply' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'File, directory or URL with the resources; - reads standard input')
            [CompletionResult]::new('--filename', '--filename', [CompletionResultType]::ParameterName, 'File, directory or URL with the resources; - reads standard input')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Check everything, but change nothing: none, client or server')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'How far back the recorded calls go that --replay-check looks at [default: all]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-R', '-R ', [CompletionResultType]::ParameterName, 'Read the directories below those named by -f, too')
            [CompletionResult]::new('--recursive', '--recursive', [CompletionResultType]::ParameterName, 'Read the directories below those named by -f, too')
            [CompletionResult]::new('--replay-check', '--replay-check', [CompletionResultType]::ParameterName, 'Apply nothing if a recorded call that went would be refused then (see replay)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;replace' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'File, directory or URL with the resources; - reads standard input')
            [CompletionResult]::new('--filename', '--filename', [CompletionResultType]::ParameterName, 'File, directory or URL with the resources; - reads standard input')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Check everything, but change nothing: none, client or server')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-R', '-R ', [CompletionResultType]::ParameterName, 'Read the directories below those named by -f, too')
            [CompletionResult]::new('--recursive', '--recursive', [CompletionResultType]::ParameterName, 'Read the directories below those named by -f, too')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Delete and create anew, whether it is there or not')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;get' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Only resources with these labels: app=sleep,tier!=db,env in (a,b),!old')
            [CompletionResult]::new('--selector', '--selector', [CompletionResultType]::ParameterName, 'Only resources with these labels: app=sleep,tier!=db,env in (a,b),!old')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'custom-columns=HEADING:PATH,…, json, jsonpath=TEMPLATE, name, wide or yaml')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'custom-columns=HEADING:PATH,…, json, jsonpath=TEMPLATE, name, wide or yaml')
            [CompletionResult]::new('-L', '-L ', [CompletionResultType]::ParameterName, 'A column for each of these labels')
            [CompletionResult]::new('--label-columns', '--label-columns', [CompletionResultType]::ParameterName, 'A column for each of these labels')
            [CompletionResult]::new('--sort-by', '--sort-by', [CompletionResultType]::ParameterName, 'Sort by the value at this path, for example .metadata.creationTimestamp')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'Resources of all namespaces')
            [CompletionResult]::new('--all-namespaces', '--all-namespaces', [CompletionResultType]::ParameterName, 'Resources of all namespaces')
            [CompletionResult]::new('--show-labels', '--show-labels', [CompletionResultType]::ParameterName, 'A column with all labels')
            [CompletionResult]::new('--no-headers', '--no-headers', [CompletionResultType]::ParameterName, 'No headings')
            [CompletionResult]::new('--ignore-not-found', '--ignore-not-found', [CompletionResultType]::ParameterName, 'Say nothing of names that are not there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;describe' {
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Only resources with these labels: app=sleep,tier!=db,env in (a,b),!old')
            [CompletionResult]::new('--selector', '--selector', [CompletionResultType]::ParameterName, 'Only resources with these labels: app=sleep,tier!=db,env in (a,b),!old')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'Resources of all namespaces')
            [CompletionResult]::new('--all-namespaces', '--all-namespaces', [CompletionResultType]::ParameterName, 'Resources of all namespaces')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;delete' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'File, directory or URL with the resources; - reads standard input')
            [CompletionResult]::new('--filename', '--filename', [CompletionResultType]::ParameterName, 'File, directory or URL with the resources; - reads standard input')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'Only resources with these labels: app=sleep,tier!=db,env in (a,b),!old')
            [CompletionResult]::new('--selector', '--selector', [CompletionResultType]::ParameterName, 'Only resources with these labels: app=sleep,tier!=db,env in (a,b),!old')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Check everything, but change nothing: none, client or server')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'timeout')
            [CompletionResult]::new('--grace-period', '--grace-period', [CompletionResultType]::ParameterName, 'grace-period')
            [CompletionResult]::new('--cascade', '--cascade', [CompletionResultType]::ParameterName, 'cascade')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-R', '-R ', [CompletionResultType]::ParameterName, 'Read the directories below those named by -f, too')
            [CompletionResult]::new('--recursive', '--recursive', [CompletionResultType]::ParameterName, 'Read the directories below those named by -f, too')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'Resources of all namespaces')
            [CompletionResult]::new('--all-namespaces', '--all-namespaces', [CompletionResultType]::ParameterName, 'Resources of all namespaces')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Every resource of the kind in the namespace')
            [CompletionResult]::new('--ignore-not-found', '--ignore-not-found', [CompletionResultType]::ParameterName, 'A name that is not there is no error')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Say that deletion was forced; deletion is always immediate here')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'wait')
            [CompletionResult]::new('--now', '--now', [CompletionResultType]::ParameterName, 'now')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;allow' {
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'The workload (Deployment or Pod) whose calls go')
            [CompletionResult]::new('--for', '--for', [CompletionResultType]::ParameterName, 'How long, at most 7d')
            [CompletionResult]::new('--uses', '--uses', [CompletionResultType]::ParameterName, 'How many calls, tunnels or WebSockets may go that would have been refused [default: any number]')
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'Why; it stands in the log')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Check everything, but change nothing: none, client or server')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;logs' {
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Container of the pod; also -c NAME')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'The log of the pods with these labels, or what the workloads with these labels called')
            [CompletionResult]::new('--selector', '--selector', [CompletionResultType]::ParameterName, 'The log of the pods with these labels, or what the workloads with these labels called')
            [CompletionResult]::new('--level', '--level', [CompletionResultType]::ParameterName, 'Only entries of this level: info, warn, error; with + also worse ones (warn+)')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Only lines that contain this regular expression; several must all be contained')
            [CompletionResult]::new('--grep', '--grep', [CompletionResultType]::ParameterName, 'Only lines that contain this regular expression; several must all be contained')
            [CompletionResult]::new('--exclude', '--exclude', [CompletionResultType]::ParameterName, 'Only lines that contain none of these')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Only calls of these hosts; * stands for any characters')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Only calls of these paths')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Only calls of these workloads')
            [CompletionResult]::new('--source-namespace', '--source-namespace', [CompletionResultType]::ParameterName, 'Only calls of workloads of these namespaces')
            [CompletionResult]::new('--principal', '--principal', [CompletionResultType]::ParameterName, 'Only calls with these principals')
            [CompletionResult]::new('--code', '--code', [CompletionResultType]::ParameterName, 'Only answers with these codes: 403, 4xx, 400-404, 400+')
            [CompletionResult]::new('--method', '--method', [CompletionResultType]::ParameterName, 'Only calls with these methods, in whatever case')
            [CompletionResult]::new('--verdict', '--verdict', [CompletionResultType]::ParameterName, 'Only what was decided so: allow, deny, would-deny; a call that was allowed may have failed all the same')
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'Only the decision of this id')
            [CompletionResult]::new('--field', '--field', [CompletionResultType]::ParameterName, 'Only entries of which a field is so; with != is not so')
            [CompletionResult]::new('--where', '--where', [CompletionResultType]::ParameterName, 'Only entries of which this expression over their fields is true, in the language of rules')
            [CompletionResult]::new('--instance', '--instance', [CompletionResultType]::ParameterName, 'Only entries of this instance: NAME, NAME.KIND or NAME.KIND.NAMESPACE')
            [CompletionResult]::new('--handler', '--handler', [CompletionResultType]::ParameterName, 'Only entries of this handler, named likewise')
            [CompletionResult]::new('--rule', '--rule', [CompletionResultType]::ParameterName, 'Only entries of this rule, named likewise')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only entries newer than this: 90s, 10m, 1h30m, 2d')
            [CompletionResult]::new('--since-time', '--since-time', [CompletionResultType]::ParameterName, 'Only entries after this time: 2018-06-18T13:22:58Z')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Only entries before this time, or older than this duration')
            [CompletionResult]::new('--tail', '--tail', [CompletionResultType]::ParameterName, 'Only the last entries, in the order in which they were recorded or imported; -1 for all')
            [CompletionResult]::new('--head', '--head', [CompletionResultType]::ParameterName, 'Only the first entries, in that order')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'With a name the container, as --container has it; without one --count')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'Also so many entries after each, whatever they are, in the order in which they were recorded')
            [CompletionResult]::new('--after-context', '--after-context', [CompletionResultType]::ParameterName, 'Also so many entries after each, whatever they are, in the order in which they were recorded')
            [CompletionResult]::new('-B', '-B ', [CompletionResultType]::ParameterName, 'Also so many entries before each')
            [CompletionResult]::new('--before-context', '--before-context', [CompletionResultType]::ParameterName, 'Also so many entries before each')
            [CompletionResult]::new('-C', '-C ', [CompletionResultType]::ParameterName, 'Also so many entries before and after each')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Also so many entries before and after each')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'line: as the handler printed it; json: as it is stored; table: as wide as the terminal; wide: all of it, with handler and rule; csv; parquet; name: the instance')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'line: as the handler printed it; json: as it is stored; table: as wide as the terminal; wide: all of it, with handler and rule; csv; parquet; name: the instance')
            [CompletionResult]::new('--columns', '--columns', [CompletionResultType]::ParameterName, 'The columns of a table or of csv')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Let this stand out, without leaving out other lines')
            [CompletionResult]::new('--highlight', '--highlight', [CompletionResultType]::ParameterName, 'Let this stand out, without leaving out other lines')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Also the records that are kept of all calls, one of each, whether rules ask for lines of it or not; with --instance access these alone')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'Take the patterns as they stand, not as regular expressions')
            [CompletionResult]::new('--fixed-strings', '--fixed-strings', [CompletionResultType]::ParameterName, 'Take the patterns as they stand, not as regular expressions')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Ignore case in patterns')
            [CompletionResult]::new('--ignore-case', '--ignore-case', [CompletionResultType]::ParameterName, 'Ignore case in patterns')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Only lines that contain none of the patterns')
            [CompletionResult]::new('--invert-match', '--invert-match', [CompletionResultType]::ParameterName, 'Only lines that contain none of the patterns')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Find patterns only as whole words')
            [CompletionResult]::new('--word-regexp', '--word-regexp', [CompletionResultType]::ParameterName, 'Find patterns only as whole words')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Stay, and show new entries as they come')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Stay, and show new entries as they come')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'Print only how many entries there are: lines, not calls, but with --all --instance access')
            [CompletionResult]::new('--exit-status', '--exit-status', [CompletionResultType]::ParameterName, 'Exit with 1 if there is no entry, and with 2 on an error')
            [CompletionResult]::new('--stats', '--stats', [CompletionResultType]::ParameterName, 'Say on standard error what it took')
            [CompletionResult]::new('--timestamps', '--timestamps', [CompletionResultType]::ParameterName, 'The time before each line')
            [CompletionResult]::new('--relative', '--relative', [CompletionResultType]::ParameterName, 'How long ago instead of times, in tables and before lines')
            [CompletionResult]::new('--local', '--local', [CompletionResultType]::ParameterName, 'Times of this computer''s zone instead of UTC, in tables and before lines')
            [CompletionResult]::new('--only-matching', '--only-matching', [CompletionResultType]::ParameterName, 'Print only what the patterns find, each on a line')
            [CompletionResult]::new('--prefix', '--prefix', [CompletionResultType]::ParameterName, 'The pod and container before each line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('seal', 'seal', [CompletionResultType]::ParameterValue, 'Seal the newest entries into a Parquet file now, instead of when enough have gathered')
            [CompletionResult]::new('prune', 'prune', [CompletionResultType]::ParameterValue, 'Remove old entries from the sealed log')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check that nothing in the log was cut off, changed, taken out or put in another order')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Take the entries of files into the log')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Count entries by time and by their fields: lines, or with --all --instance access calls')
            [CompletionResult]::new('facets', 'facets', [CompletionResultType]::ParameterValue, 'Show the most frequent values of each field')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write entries into files for other tools')
            break
        }
        'egressctl;logs;seal' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;logs;prune' {
            [CompletionResult]::new('--keep', '--keep', [CompletionResultType]::ParameterName, 'Age at which sealed entries go: 30d, or for one level: error=90d; repeatable [default: never]')
            [CompletionResult]::new('--keep-size', '--keep-size', [CompletionResultType]::ParameterName, 'Bytes of all sealed entries above which the oldest go, whatever their age: 500MiB, 10GiB [default: no limit]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Only show what would go')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;logs;verify' {
            [CompletionResult]::new('--head', '--head', [CompletionResultType]::ParameterName, 'The log must still have all that it had when this head was exported; - for standard input')
            [CompletionResult]::new('--export-head', '--export-head', [CompletionResultType]::ParameterName, 'If the log is whole, write its signed head here, to be kept where whoever might change the log cannot write; - for standard output')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'json for programs')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'json for programs')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;logs;import' {
            [CompletionResult]::new('--redact', '--redact', [CompletionResultType]::ParameterName, 'What is left out of entries that have it: nothing, queries, or paths and headers too; credentials always are')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;logs;stats' {
            [CompletionResult]::new('--level', '--level', [CompletionResultType]::ParameterName, 'Only entries of this level: info, warn, error; with + also worse ones (warn+)')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Only lines that contain this regular expression; several must all be contained')
            [CompletionResult]::new('--grep', '--grep', [CompletionResultType]::ParameterName, 'Only lines that contain this regular expression; several must all be contained')
            [CompletionResult]::new('--exclude', '--exclude', [CompletionResultType]::ParameterName, 'Only lines that contain none of these')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Only calls of these hosts; * stands for any characters')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Only calls of these paths')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Only calls of these workloads')
            [CompletionResult]::new('--source-namespace', '--source-namespace', [CompletionResultType]::ParameterName, 'Only calls of workloads of these namespaces')
            [CompletionResult]::new('--principal', '--principal', [CompletionResultType]::ParameterName, 'Only calls with these principals')
            [CompletionResult]::new('--code', '--code', [CompletionResultType]::ParameterName, 'Only answers with these codes: 403, 4xx, 400-404, 400+')
            [CompletionResult]::new('--method', '--method', [CompletionResultType]::ParameterName, 'Only calls with these methods, in whatever case')
            [CompletionResult]::new('--verdict', '--verdict', [CompletionResultType]::ParameterName, 'Only what was decided so: allow, deny, would-deny; a call that was allowed may have failed all the same')
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'Only the decision of this id')
            [CompletionResult]::new('--field', '--field', [CompletionResultType]::ParameterName, 'Only entries of which a field is so; with != is not so')
            [CompletionResult]::new('--where', '--where', [CompletionResultType]::ParameterName, 'Only entries of which this expression over their fields is true, in the language of rules')
            [CompletionResult]::new('--instance', '--instance', [CompletionResultType]::ParameterName, 'Only entries of this instance: NAME, NAME.KIND or NAME.KIND.NAMESPACE')
            [CompletionResult]::new('--handler', '--handler', [CompletionResultType]::ParameterName, 'Only entries of this handler, named likewise')
            [CompletionResult]::new('--rule', '--rule', [CompletionResultType]::ParameterName, 'Only entries of this rule, named likewise')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only entries newer than this: 90s, 10m, 1h30m, 2d')
            [CompletionResult]::new('--since-time', '--since-time', [CompletionResultType]::ParameterName, 'Only entries after this time: 2018-06-18T13:22:58Z')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Only entries before this time, or older than this duration')
            [CompletionResult]::new('--by', '--by', [CompletionResultType]::ParameterName, 'Count by these fields')
            [CompletionResult]::new('--top', '--top', [CompletionResultType]::ParameterName, 'Show only so many groups, those with most entries; 0 for all')
            [CompletionResult]::new('--measure', '--measure', [CompletionResultType]::ParameterName, 'Add up the numbers of these fields')
            [CompletionResult]::new('--percentiles', '--percentiles', [CompletionResultType]::ParameterName, 'Below which numbers so many of a hundred lie')
            [CompletionResult]::new('--interval', '--interval', [CompletionResultType]::ParameterName, 'Count by time: 1m, 1h, 1d')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'table, json, markdown')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'table, json, markdown')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Also the records that are kept of all calls, one of each, whether rules ask for lines of it or not; with --instance access these alone')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'Take the patterns as they stand, not as regular expressions')
            [CompletionResult]::new('--fixed-strings', '--fixed-strings', [CompletionResultType]::ParameterName, 'Take the patterns as they stand, not as regular expressions')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Ignore case in patterns')
            [CompletionResult]::new('--ignore-case', '--ignore-case', [CompletionResultType]::ParameterName, 'Ignore case in patterns')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Only lines that contain none of the patterns')
            [CompletionResult]::new('--invert-match', '--invert-match', [CompletionResultType]::ParameterName, 'Only lines that contain none of the patterns')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Find patterns only as whole words')
            [CompletionResult]::new('--word-regexp', '--word-regexp', [CompletionResultType]::ParameterName, 'Find patterns only as whole words')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;logs;facets' {
            [CompletionResult]::new('--level', '--level', [CompletionResultType]::ParameterName, 'Only entries of this level: info, warn, error; with + also worse ones (warn+)')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Only lines that contain this regular expression; several must all be contained')
            [CompletionResult]::new('--grep', '--grep', [CompletionResultType]::ParameterName, 'Only lines that contain this regular expression; several must all be contained')
            [CompletionResult]::new('--exclude', '--exclude', [CompletionResultType]::ParameterName, 'Only lines that contain none of these')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Only calls of these hosts; * stands for any characters')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Only calls of these paths')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Only calls of these workloads')
            [CompletionResult]::new('--source-namespace', '--source-namespace', [CompletionResultType]::ParameterName, 'Only calls of workloads of these namespaces')
            [CompletionResult]::new('--principal', '--principal', [CompletionResultType]::ParameterName, 'Only calls with these principals')
            [CompletionResult]::new('--code', '--code', [CompletionResultType]::ParameterName, 'Only answers with these codes: 403, 4xx, 400-404, 400+')
            [CompletionResult]::new('--method', '--method', [CompletionResultType]::ParameterName, 'Only calls with these methods, in whatever case')
            [CompletionResult]::new('--verdict', '--verdict', [CompletionResultType]::ParameterName, 'Only what was decided so: allow, deny, would-deny; a call that was allowed may have failed all the same')
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'Only the decision of this id')
            [CompletionResult]::new('--field', '--field', [CompletionResultType]::ParameterName, 'Only entries of which a field is so; with != is not so')
            [CompletionResult]::new('--where', '--where', [CompletionResultType]::ParameterName, 'Only entries of which this expression over their fields is true, in the language of rules')
            [CompletionResult]::new('--instance', '--instance', [CompletionResultType]::ParameterName, 'Only entries of this instance: NAME, NAME.KIND or NAME.KIND.NAMESPACE')
            [CompletionResult]::new('--handler', '--handler', [CompletionResultType]::ParameterName, 'Only entries of this handler, named likewise')
            [CompletionResult]::new('--rule', '--rule', [CompletionResultType]::ParameterName, 'Only entries of this rule, named likewise')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only entries newer than this: 90s, 10m, 1h30m, 2d')
            [CompletionResult]::new('--since-time', '--since-time', [CompletionResultType]::ParameterName, 'Only entries after this time: 2018-06-18T13:22:58Z')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Only entries before this time, or older than this duration')
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'Only these fields')
            [CompletionResult]::new('--top', '--top', [CompletionResultType]::ParameterName, 'Show so many values of each field; 0 for all')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'json for programs')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'json for programs')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Also the records that are kept of all calls, one of each, whether rules ask for lines of it or not; with --instance access these alone')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'Take the patterns as they stand, not as regular expressions')
            [CompletionResult]::new('--fixed-strings', '--fixed-strings', [CompletionResultType]::ParameterName, 'Take the patterns as they stand, not as regular expressions')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Ignore case in patterns')
            [CompletionResult]::new('--ignore-case', '--ignore-case', [CompletionResultType]::ParameterName, 'Ignore case in patterns')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Only lines that contain none of the patterns')
            [CompletionResult]::new('--invert-match', '--invert-match', [CompletionResultType]::ParameterName, 'Only lines that contain none of the patterns')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Find patterns only as whole words')
            [CompletionResult]::new('--word-regexp', '--word-regexp', [CompletionResultType]::ParameterName, 'Find patterns only as whole words')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;logs;export' {
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'NAME.jsonl, NAME.csv, NAME.parquet, or a folder; - for standard output')
            [CompletionResult]::new('--columns', '--columns', [CompletionResultType]::ParameterName, 'Columns of csv')
            [CompletionResult]::new('--level', '--level', [CompletionResultType]::ParameterName, 'Only entries of this level: info, warn, error; with + also worse ones (warn+)')
            [CompletionResult]::new('-g', '-g', [CompletionResultType]::ParameterName, 'Only lines that contain this regular expression; several must all be contained')
            [CompletionResult]::new('--grep', '--grep', [CompletionResultType]::ParameterName, 'Only lines that contain this regular expression; several must all be contained')
            [CompletionResult]::new('--exclude', '--exclude', [CompletionResultType]::ParameterName, 'Only lines that contain none of these')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Only calls of these hosts; * stands for any characters')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Only calls of these paths')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Only calls of these workloads')
            [CompletionResult]::new('--source-namespace', '--source-namespace', [CompletionResultType]::ParameterName, 'Only calls of workloads of these namespaces')
            [CompletionResult]::new('--principal', '--principal', [CompletionResultType]::ParameterName, 'Only calls with these principals')
            [CompletionResult]::new('--code', '--code', [CompletionResultType]::ParameterName, 'Only answers with these codes: 403, 4xx, 400-404, 400+')
            [CompletionResult]::new('--method', '--method', [CompletionResultType]::ParameterName, 'Only calls with these methods, in whatever case')
            [CompletionResult]::new('--verdict', '--verdict', [CompletionResultType]::ParameterName, 'Only what was decided so: allow, deny, would-deny; a call that was allowed may have failed all the same')
            [CompletionResult]::new('--id', '--id', [CompletionResultType]::ParameterName, 'Only the decision of this id')
            [CompletionResult]::new('--field', '--field', [CompletionResultType]::ParameterName, 'Only entries of which a field is so; with != is not so')
            [CompletionResult]::new('--where', '--where', [CompletionResultType]::ParameterName, 'Only entries of which this expression over their fields is true, in the language of rules')
            [CompletionResult]::new('--instance', '--instance', [CompletionResultType]::ParameterName, 'Only entries of this instance: NAME, NAME.KIND or NAME.KIND.NAMESPACE')
            [CompletionResult]::new('--handler', '--handler', [CompletionResultType]::ParameterName, 'Only entries of this handler, named likewise')
            [CompletionResult]::new('--rule', '--rule', [CompletionResultType]::ParameterName, 'Only entries of this rule, named likewise')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only entries newer than this: 90s, 10m, 1h30m, 2d')
            [CompletionResult]::new('--since-time', '--since-time', [CompletionResultType]::ParameterName, 'Only entries after this time: 2018-06-18T13:22:58Z')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Only entries before this time, or older than this duration')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Also the records that are kept of all calls, one of each, whether rules ask for lines of it or not; with --instance access these alone')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'Take the patterns as they stand, not as regular expressions')
            [CompletionResult]::new('--fixed-strings', '--fixed-strings', [CompletionResultType]::ParameterName, 'Take the patterns as they stand, not as regular expressions')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Ignore case in patterns')
            [CompletionResult]::new('--ignore-case', '--ignore-case', [CompletionResultType]::ParameterName, 'Ignore case in patterns')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Only lines that contain none of the patterns')
            [CompletionResult]::new('--invert-match', '--invert-match', [CompletionResultType]::ParameterName, 'Only lines that contain none of the patterns')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Find patterns only as whole words')
            [CompletionResult]::new('--word-regexp', '--word-regexp', [CompletionResultType]::ParameterName, 'Find patterns only as whole words')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;trace' {
            [CompletionResult]::new('--decision', '--decision', [CompletionResultType]::ParameterName, 'The recorded call of this decision, instead of one that is described')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'File, directory or URL with the resources; - reads standard input')
            [CompletionResult]::new('--filename', '--filename', [CompletionResultType]::ParameterName, 'File, directory or URL with the resources; - reads standard input')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'The workload (Deployment or Pod) that calls; without it the caller is unknown')
            [CompletionResult]::new('-X', '-X ', [CompletionResultType]::ParameterName, 'Method')
            [CompletionResult]::new('--request', '--request', [CompletionResultType]::ParameterName, 'Method')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Header of the request; repeatable')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'Header of the request; repeatable')
            [CompletionResult]::new('--hop', '--hop', [CompletionResultType]::ParameterName, 'Where the call comes to')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The port that is dialled, or the server''s with --hop gateway [default: the URL''s]')
            [CompletionResult]::new('--sni', '--sni', [CompletionResultType]::ParameterName, 'The server name that TLS asks for; empty for none [default: the host]')
            [CompletionResult]::new('--source-ip', '--source-ip', [CompletionResultType]::ParameterName, 'The caller''s address [default: 127.0.0.1]')
            [CompletionResult]::new('--outbound-traffic-policy', '--outbound-traffic-policy', [CompletionResultType]::ParameterName, 'Which hosts workloads may call, instead of asking a running proxy [default: REGISTRY_ONLY]')
            [CompletionResult]::new('--proxy', '--proxy', [CompletionResultType]::ParameterName, 'The running proxy to ask [default: the first that has a listener for the workload; none: what is declared]')
            [CompletionResult]::new('--at', '--at', [CompletionResultType]::ParameterName, 'When the call is made, as 2018-06-18T13:22:58Z [default: now]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'json for scripts')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'json for scripts')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-R', '-R ', [CompletionResultType]::ParameterName, 'Read the directories below those named by -f, too')
            [CompletionResult]::new('--recursive', '--recursive', [CompletionResultType]::ParameterName, 'Read the directories below those named by -f, too')
            [CompletionResult]::new('--batch', '--batch', [CompletionResultType]::ParameterName, 'Read calls from standard input, {"id","manifest","from","request":{"method","url","headers":{},…}} a line; --help says which fields there are')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'egressctl;replay' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'File, directory or URL with the resources; - reads standard input')
            [CompletionResult]::new('--filename', '--filename', [CompletionResultType]::ParameterName, 'File, directory or URL with the resources; - reads standard input')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only calls newer than this: 90s, 10m, 1h30m, 7d [default: all that were recorded]')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Only calls of this workload')
            [CompletionResult]::new('--outbound-traffic-policy', '--outbound-traffic-policy', [CompletionResultType]::ParameterName, 'Which hosts workloads may call where no Sidecar says so')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'json for scripts')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'json for scripts')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-R', '-R ', [CompletionResultType]::ParameterName, 'Read the directories below those named by -f, too')
            [CompletionResult]::new('--recursive', '--recursive', [CompletionResultType]::ParameterName, 'Read the directories below those named by -f, too')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;generate' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('policy', 'policy', [CompletionResultType]::ParameterValue, 'The least policy that allows the recorded calls that went, and nothing else')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'egressctl;generate;policy' {
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only calls newer than this: 90s, 10m, 1h30m, 7d [default: all that were recorded]')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Only calls of this workload; those of others are not touched by the policy')
            [CompletionResult]::new('--style', '--style', [CompletionResultType]::ParameterName, 'listchecker: lists that every call is checked against; authorization: an AuthorizationPolicy at the egress gateway')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;generate;help' {
            [CompletionResult]::new('policy', 'policy', [CompletionResultType]::ParameterValue, 'The least policy that allows the recorded calls that went, and nothing else')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'egressctl;generate;help;policy' {
            break
        }
        'egressctl;generate;help;help' {
            break
        }
        'egressctl;why' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'json for scripts')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'json for scripts')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;validate' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'File, directory or URL with the resources; - reads standard input')
            [CompletionResult]::new('--filename', '--filename', [CompletionResultType]::ParameterName, 'File, directory or URL with the resources; - reads standard input')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'json for scripts')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'json for scripts')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-R', '-R ', [CompletionResultType]::ParameterName, 'Read the directories below those named by -f, too')
            [CompletionResult]::new('--recursive', '--recursive', [CompletionResultType]::ParameterName, 'Read the directories below those named by -f, too')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;analyze' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'File, directory or URL with the resources; - reads standard input')
            [CompletionResult]::new('--filename', '--filename', [CompletionResultType]::ParameterName, 'File, directory or URL with the resources; - reads standard input')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Whether what is declared in the registry counts; false for files alone')
            [CompletionResult]::new('--use-kube', '--use-kube', [CompletionResultType]::ParameterName, 'Whether what is declared in the registry counts; false for files alone')
            [CompletionResult]::new('-S', '-S ', [CompletionResultType]::ParameterName, 'Leave out a code for a resource, as in "IST0129=DestinationRule cnn.default"; * stands for anything; repeatable')
            [CompletionResult]::new('--suppress', '--suppress', [CompletionResultType]::ParameterName, 'Leave out a code for a resource, as in "IST0129=DestinationRule cnn.default"; * stands for anything; repeatable')
            [CompletionResult]::new('--failure-threshold', '--failure-threshold', [CompletionResultType]::ParameterName, 'Exit with status 79 for findings as bad as this: Info, Warning or Error')
            [CompletionResult]::new('--output-threshold', '--output-threshold', [CompletionResultType]::ParameterName, 'Show findings as bad as this: Info, Warning or Error')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'log, json or yaml; the last two never fail because of findings')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'log, json or yaml; the last two never fail because of findings')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-R', '-R ', [CompletionResultType]::ParameterName, 'Read the directories below those named by -f, too')
            [CompletionResult]::new('--recursive', '--recursive', [CompletionResultType]::ParameterName, 'Read the directories below those named by -f, too')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'Show findings of all namespaces')
            [CompletionResult]::new('--all-namespaces', '--all-namespaces', [CompletionResultType]::ParameterName, 'Show findings of all namespaces')
            [CompletionResult]::new('--ignore-unknown', '--ignore-unknown', [CompletionResultType]::ParameterName, 'Pass over documents of unknown kinds')
            [CompletionResult]::new('-L', '-L ', [CompletionResultType]::ParameterName, 'List the codes with their levels and meanings, and do nothing else')
            [CompletionResult]::new('--list-codes', '--list-codes', [CompletionResultType]::ParameterName, 'List the codes with their levels and meanings, and do nothing else')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;exec' {
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Container of the pod')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Container of the pod')
            [CompletionResult]::new('--node', '--node', [CompletionResultType]::ParameterName, 'The proxy that takes its calls [default: the first that runs on this state directory]')
            [CompletionResult]::new('--audit', '--audit', [CompletionResultType]::ParameterName, 'Let go what the present policy would refuse, and tell at the end what was called (on standard error, or as JSON in FILE); that it was so is recorded')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Pass standard input on')
            [CompletionResult]::new('--stdin', '--stdin', [CompletionResultType]::ParameterName, 'Pass standard input on')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Give it a terminal, if there is one')
            [CompletionResult]::new('--tty', '--tty', [CompletionResultType]::ParameterName, 'Give it a terminal, if there is one')
            [CompletionResult]::new('--private-tmp', '--private-tmp', [CompletionResultType]::ParameterName, 'Give it an empty /tmp and /var/tmp of its own, in which no socket of others can appear')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;run' {
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Workload (Deployment or Pod) that it runs as [default: the only one of the namespace]')
            [CompletionResult]::new('--node', '--node', [CompletionResultType]::ParameterName, 'The proxy that takes its calls [default: the first that runs on this state directory]')
            [CompletionResult]::new('--audit', '--audit', [CompletionResultType]::ParameterName, 'Let go what the present policy would refuse, and tell at the end what was called (on standard error, or as JSON in FILE); that it was so is recorded')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('--best-effort', '--best-effort', [CompletionResultType]::ParameterName, 'Isolate nothing: only tell the command by variables to call through the proxy; this is recorded')
            [CompletionResult]::new('--private-tmp', '--private-tmp', [CompletionResultType]::ParameterName, 'Give it an empty /tmp and /var/tmp of its own, in which no socket of others can appear')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'egressctl;proxy' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('start', 'start', [CompletionResultType]::ParameterValue, 'Run a proxy in the foreground: a sidecar for each --listen, and the egress gateway, in one process or two')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the proxies that run on this state directory')
            [CompletionResult]::new('metrics', 'metrics', [CompletionResultType]::ParameterValue, 'Print a proxy''s counters, and the metrics of its prometheus handlers, in Prometheus'' text form')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'Let a proxy finish its calls and end')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'egressctl;proxy;start' {
            [CompletionResult]::new('--role', '--role', [CompletionResultType]::ParameterName, 'What to play: sidecars and the egress gateway, or one of them, with the other in another process')
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Sidecar listener, and the workload (Deployment or Pod) whose calls it takes; without one its callers may show tokens (see create token); repeatable [default: 127.0.0.1:15001, unless --gateway-listen is given]')
            [CompletionResult]::new('--mesh-listen', '--mesh-listen', [CompletionResultType]::ParameterName, 'Where the egress gateway takes the calls of sidecars of other processes, by mutual TLS alone [default of role gateway: 127.0.0.1:15443]')
            [CompletionResult]::new('--gateway', '--gateway', [CompletionResultType]::ParameterName, 'Where the egress gateway of another process is [default: where it says itself in the state directory]')
            [CompletionResult]::new('--trust-domain', '--trust-domain', [CompletionResultType]::ParameterName, 'Trust domain of all identities; chosen when the authority is made [default: cluster.local]')
            [CompletionResult]::new('--identity', '--identity', [CompletionResultType]::ParameterName, 'Prove and believe by what `identity issue --out DIR` has written, instead of by the state directory''s authority, whose key is then not needed; read anew when it is replaced')
            [CompletionResult]::new('--certificate-ttl', '--certificate-ttl', [CompletionResultType]::ParameterName, 'How long certificates of workloads are valid; they are renewed at half their life')
            [CompletionResult]::new('--gateway-listen', '--gateway-listen', [CompletionResultType]::ParameterName, 'Listener for callers without sidecar, who come to the egress gateway''s servers on PORT; repeatable')
            [CompletionResult]::new('--resolve', '--resolve', [CompletionResultType]::ParameterName, 'Connect to ADDR when HOST and PORT are called, as curl does; repeatable')
            [CompletionResult]::new('--dns-server', '--dns-server', [CompletionResultType]::ParameterName, 'Ask this name server instead of the system''s; repeatable')
            [CompletionResult]::new('--ca-file', '--ca-file', [CompletionResultType]::ParameterName, 'Trust the authorities in this PEM file instead of the system''s')
            [CompletionResult]::new('--metrics-listen', '--metrics-listen', [CompletionResultType]::ParameterName, 'Serve metrics to Prometheus at http://ADDR/metrics, to whoever reaches the address')
            [CompletionResult]::new('--otlp-endpoint', '--otlp-endpoint', [CompletionResultType]::ParameterName, 'Tell an OpenTelemetry collector of each call that is recorded (see --access): a span and a log record, by OTLP over HTTP in JSON, to URL/v1/traces and URL/v1/logs; origins are then told the span in traceparent')
            [CompletionResult]::new('--workers', '--workers', [CompletionResultType]::ParameterName, 'Worker threads [default: one for each core]')
            [CompletionResult]::new('--outbound-traffic-policy', '--outbound-traffic-policy', [CompletionResultType]::ParameterName, 'Which hosts may be called where no Sidecar says so: registered ones, or any')
            [CompletionResult]::new('--path-normalization', '--path-normalization', [CompletionResultType]::ParameterName, 'How paths are normalized before they are judged: strictly, or as Istio''s modes do [default: as the ConfigMap istio says in pathNormalization.normalization, or STRICT]')
            [CompletionResult]::new('--on-check-failure', '--on-check-failure', [CompletionResultType]::ParameterName, 'What to do with a call when a check that applies to it cannot be carried out')
            [CompletionResult]::new('--drain-timeout', '--drain-timeout', [CompletionResultType]::ParameterName, 'How long running calls have when the proxy is stopped')
            [CompletionResult]::new('--response-timeout', '--response-timeout', [CompletionResultType]::ParameterName, 'How long an origin has for the head of its answer where the route says nothing, and may pause in its body')
            [CompletionResult]::new('--max-stream-duration', '--max-stream-duration', [CompletionResultType]::ParameterName, 'How long a call may last in all, tunnels and WebSockets included [default: no limit]')
            [CompletionResult]::new('--tunnel-idle-timeout', '--tunnel-idle-timeout', [CompletionResultType]::ParameterName, 'How long a tunnel may lie idle')
            [CompletionResult]::new('--header-timeout', '--header-timeout', [CompletionResultType]::ParameterName, 'How long a client may take for the head of a request, and lie idle before the next one')
            [CompletionResult]::new('--max-header-bytes', '--max-header-bytes', [CompletionResultType]::ParameterName, 'Most bytes of a request''s head; a longer one gets 431')
            [CompletionResult]::new('--max-header-fields', '--max-header-fields', [CompletionResultType]::ParameterName, 'Most header fields of a request; one with more gets 431')
            [CompletionResult]::new('--max-connections', '--max-connections', [CompletionResultType]::ParameterName, 'Most client connections of one worker; one more gets 503')
            [CompletionResult]::new('--max-connections-per-caller', '--max-connections-per-caller', [CompletionResultType]::ParameterName, 'Most of them of one caller, an address at one listener; one more gets 429 [default: three quarters of all]')
            [CompletionResult]::new('--max-tunnels', '--max-tunnels', [CompletionResultType]::ParameterName, 'Most tunnels of one worker, at most half as many as requests')
            [CompletionResult]::new('--max-requests-per-caller', '--max-requests-per-caller', [CompletionResultType]::ParameterName, 'Most requests under way of one caller, a workload or the address of who is none, at one worker; one more gets 429 [default: no limit]')
            [CompletionResult]::new('--max-connections-per-destination', '--max-connections-per-destination', [CompletionResultType]::ParameterName, 'Most connections of one worker to one destination, an address with what is spoken there; a call that would need one more gets 503 [default: three quarters of --max-connections]')
            [CompletionResult]::new('--max-pending-per-destination', '--max-pending-per-destination', [CompletionResultType]::ParameterName, 'Most of them that are being made at a time; a call that would need one more gets 503 [default: a quarter of --max-connections]')
            [CompletionResult]::new('--max-resets-per-connection', '--max-resets-per-connection', [CompletionResultType]::ParameterName, 'Most calls that a client of HTTP/2 may break off on one connection, as long as they are most of its calls: then the connection ends')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Refuse calls with 503 while the process has nearly so much memory: 512MiB [default: the limit of its control group]')
            [CompletionResult]::new('--access', '--access', [CompletionResultType]::ParameterName, 'Of which calls a record is kept, whether a rule asks for a line or not (logs --all shows them)')
            [CompletionResult]::new('--redact', '--redact', [CompletionResultType]::ParameterName, 'What is left out of these records: nothing, the query, or the path and headers too; credentials always are')
            [CompletionResult]::new('--durability', '--durability', [CompletionResultType]::ParameterName, 'group: calls are recorded a moment after they end; strict: a call leaves only when its intent is on disk')
            [CompletionResult]::new('--log-full', '--log-full', [CompletionResultType]::ParameterName, 'What becomes of calls while the log takes no entries (a full disk) and its queue is full: refused with 503, or served and counted, without a record')
            [CompletionResult]::new('--log-queue', '--log-queue', [CompletionResultType]::ParameterName, 'How many calls may be under way or not yet in the log; half of them may be tunnels')
            [CompletionResult]::new('--seal-rows', '--seal-rows', [CompletionResultType]::ParameterName, 'Seal log entries into a Parquet file when so many have gathered')
            [CompletionResult]::new('--seal-age', '--seal-age', [CompletionResultType]::ParameterName, 'Seal log entries when the oldest is so old')
            [CompletionResult]::new('--keep', '--keep', [CompletionResultType]::ParameterName, 'Age at which sealed entries go: 30d, or for one level: error=90d; repeatable [default: never]')
            [CompletionResult]::new('--keep-size', '--keep-size', [CompletionResultType]::ParameterName, 'Bytes of all sealed entries above which the oldest go, whatever their age: 500MiB, 10GiB [default: no limit]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Sample where the process spends its time, and write a flame graph to FILE (SVG) when it ends, and at SIGUSR1; costs about a hundredth of its speed')
            [CompletionResult]::new('--node', '--node', [CompletionResultType]::ParameterName, 'Name of this proxy, one of each in a state directory [default: egressgateway; of role sidecar: sidecar]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('--require-identity', '--require-identity', [CompletionResultType]::ParameterName, 'Refuse calls to sidecar listeners that prove no caller, by the listener or by a token')
            [CompletionResult]::new('--identify-users', '--identify-users', [CompletionResultType]::ParameterName, 'At listeners without workload, know callers of this machine who show no token by the user that owns their socket: they are the workload whose Pods run as that user (securityContext.runAsUser)')
            [CompletionResult]::new('--report-only', '--report-only', [CompletionResultType]::ParameterName, 'Record what rules would refuse, and let every call go')
            [CompletionResult]::new('--proxy-protocol', '--proxy-protocol', [CompletionResultType]::ParameterName, 'Take the caller''s address from the PROXY protocol (version 1 or 2), with which every connection then must begin')
            [CompletionResult]::new('--replace', '--replace', [CompletionResultType]::ParameterName, 'Go on instead of the proxy of this name, if one runs: its listening sockets are taken over when everything is ready, so that no connection is lost, and it ends when its calls are done. SIGUSR2 makes a proxy start its program anew so')
            [CompletionResult]::new('--until-eof', '--until-eof', [CompletionResultType]::ParameterName, 'Stop when standard input ends, for a proxy that another program starts')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'egressctl;proxy;status' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'json or yaml for the whole status')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'json or yaml for the whole status')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;proxy;metrics' {
            [CompletionResult]::new('--node', '--node', [CompletionResultType]::ParameterName, 'Name of the proxy')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;proxy;stop' {
            [CompletionResult]::new('--node', '--node', [CompletionResultType]::ParameterName, 'Name of the proxy')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('--no-wait', '--no-wait', [CompletionResultType]::ParameterName, 'Return at once, while running calls are finished')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;proxy;help' {
            [CompletionResult]::new('start', 'start', [CompletionResultType]::ParameterValue, 'Run a proxy in the foreground: a sidecar for each --listen, and the egress gateway, in one process or two')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the proxies that run on this state directory')
            [CompletionResult]::new('metrics', 'metrics', [CompletionResultType]::ParameterValue, 'Print a proxy''s counters, and the metrics of its prometheus handlers, in Prometheus'' text form')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'Let a proxy finish its calls and end')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'egressctl;proxy;help;start' {
            break
        }
        'egressctl;proxy;help;status' {
            break
        }
        'egressctl;proxy;help;metrics' {
            break
        }
        'egressctl;proxy;help;stop' {
            break
        }
        'egressctl;proxy;help;help' {
            break
        }
        'egressctl;proxy-config' {
            [CompletionResult]::new('--address', '--address', [CompletionResultType]::ParameterName, 'Only listeners or endpoints of this address')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Only listeners, routes, clusters or endpoints of this port')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Only routes of this table (80, http.443) or virtual host, or clusters, secrets, rules of this name')
            [CompletionResult]::new('--fqdn', '--fqdn', [CompletionResultType]::ParameterName, 'Only routes and clusters of this host')
            [CompletionResult]::new('--subset', '--subset', [CompletionResultType]::ParameterName, 'Only clusters of this subset')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Only endpoints of this cluster: outbound|443||edition.cnn.com')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Only endpoints of this status: healthy, unhealthy')
            [CompletionResult]::new('--node', '--node', [CompletionResultType]::ParameterName, 'Ask the proxy that was started with this --node')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'short, wide, json or yaml')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'short, wide, json or yaml')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'egressctl;pc' {
            [CompletionResult]::new('--address', '--address', [CompletionResultType]::ParameterName, 'Only listeners or endpoints of this address')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Only listeners, routes, clusters or endpoints of this port')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Only routes of this table (80, http.443) or virtual host, or clusters, secrets, rules of this name')
            [CompletionResult]::new('--fqdn', '--fqdn', [CompletionResultType]::ParameterName, 'Only routes and clusters of this host')
            [CompletionResult]::new('--subset', '--subset', [CompletionResultType]::ParameterName, 'Only clusters of this subset')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Only endpoints of this cluster: outbound|443||edition.cnn.com')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Only endpoints of this status: healthy, unhealthy')
            [CompletionResult]::new('--node', '--node', [CompletionResultType]::ParameterName, 'Ask the proxy that was started with this --node')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'short, wide, json or yaml')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'short, wide, json or yaml')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'egressctl;proxy-status' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'json or yaml')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'json or yaml')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'A column for each part of the configuration')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'A column for each part of the configuration')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;ps' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'json or yaml')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'json or yaml')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'A column for each part of the configuration')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'A column for each part of the configuration')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;identity' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show the authorities that sign or are trusted')
            [CompletionResult]::new('issue', 'issue', [CompletionResultType]::ParameterValue, 'Issue a certificate with a new key')
            [CompletionResult]::new('rotate', 'rotate', [CompletionResultType]::ParameterValue, 'Let a new root, or an authority of your own, take over')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Print the roots that are trusted, in PEM')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'egressctl;identity;show' {
            [CompletionResult]::new('--trust-domain', '--trust-domain', [CompletionResultType]::ParameterName, 'Trust domain of all identities; chosen when the authority is made [default: cluster.local]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'json or yaml')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'json or yaml')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;identity;issue' {
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Directory for cert-chain.pem, key.pem and root-cert.pem, made if it is missing')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'How long it is valid, at most 90 days')
            [CompletionResult]::new('--trust-domain', '--trust-domain', [CompletionResultType]::ParameterName, 'Trust domain of all identities; chosen when the authority is made [default: cluster.local]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;identity;rotate' {
            [CompletionResult]::new('--cert', '--cert', [CompletionResultType]::ParameterName, 'Certificate of your own authority, a root or an intermediate, in PEM')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Its key')
            [CompletionResult]::new('--root', '--root', [CompletionResultType]::ParameterName, 'The root that it leads to, if it is none itself')
            [CompletionResult]::new('--chain', '--chain', [CompletionResultType]::ParameterName, 'Certificates between the two')
            [CompletionResult]::new('--after', '--after', [CompletionResultType]::ParameterName, 'How long the new authority is only trusted, before it signs, so that every proxy knows it by then')
            [CompletionResult]::new('--overlap', '--overlap', [CompletionResultType]::ParameterName, 'How long the old one stays trusted after that: as long as its longest certificate is valid')
            [CompletionResult]::new('--trust-domain', '--trust-domain', [CompletionResultType]::ParameterName, 'Trust domain of all identities; chosen when the authority is made [default: cluster.local]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;identity;export' {
            [CompletionResult]::new('--trust-domain', '--trust-domain', [CompletionResultType]::ParameterName, 'Trust domain of all identities; chosen when the authority is made [default: cluster.local]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;identity;help' {
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show the authorities that sign or are trusted')
            [CompletionResult]::new('issue', 'issue', [CompletionResultType]::ParameterValue, 'Issue a certificate with a new key')
            [CompletionResult]::new('rotate', 'rotate', [CompletionResultType]::ParameterValue, 'Let a new root, or an authority of your own, take over')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Print the roots that are trusted, in PEM')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'egressctl;identity;help;show' {
            break
        }
        'egressctl;identity;help;issue' {
            break
        }
        'egressctl;identity;help;rotate' {
            break
        }
        'egressctl;identity;help;export' {
            break
        }
        'egressctl;identity;help;help' {
            break
        }
        'egressctl;demo' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;eval' {
            [CompletionResult]::new('--attr', '--attr', [CompletionResultType]::ParameterName, 'Value of an attribute; NAME[KEY]=VALUE for a key of a map, NAME:TYPE=VALUE for an attribute of your own')
            [CompletionResult]::new('--attributes', '--attributes', [CompletionResultType]::ParameterName, 'YAML or JSON file with attributes: a map from names to values; - reads standard input')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'json')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'json')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('--batch', '--batch', [CompletionResultType]::ParameterName, 'Answer lines {"id","expr","attrs","attr_types"} of standard input, each by a line')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;api-resources' {
            [CompletionResult]::new('--api-group', '--api-group', [CompletionResultType]::ParameterName, 'Only kinds of this group; the core group has the empty name')
            [CompletionResult]::new('--namespaced', '--namespaced', [CompletionResultType]::ParameterName, 'Only kinds that live in namespaces, or only those that do not')
            [CompletionResult]::new('--categories', '--categories', [CompletionResultType]::ParameterName, 'Only kinds of all these categories')
            [CompletionResult]::new('--verbs', '--verbs', [CompletionResultType]::ParameterName, 'Only kinds that know all these verbs')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'wide or name')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'wide or name')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('--no-headers', '--no-headers', [CompletionResultType]::ParameterName, 'No headings')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;completion' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;version' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'yaml or json')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'yaml or json')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the resources')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour: a terminal alone, always or never')
            [CompletionResult]::new('--client', '--client', [CompletionResultType]::ParameterName, 'Accepted for kubectl''s sake: there is no server whose version could be asked')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'egressctl;help' {
            [CompletionResult]::new('create', 'create', [CompletionResultType]::ParameterValue, 'Create resources from files, directories, URLs or standard input')
            [CompletionResult]::new('apply', 'apply', [CompletionResultType]::ParameterValue, 'Create the resources that files declare, or change them to what is declared there')
            [CompletionResult]::new('replace', 'replace', [CompletionResultType]::ParameterValue, 'Replace resources that are there by what files declare')
            [CompletionResult]::new('get', 'get', [CompletionResultType]::ParameterValue, 'Show resources as a table, or as YAML, JSON or what a template finds in them')
            [CompletionResult]::new('describe', 'describe', [CompletionResultType]::ParameterValue, 'Show all fields of resources, by name, by the start of a name, or by labels')
            [CompletionResult]::new('delete', 'delete', [CompletionResultType]::ParameterValue, 'Delete resources by name, by labels, or those that files declare')
            [CompletionResult]::new('allow', 'allow', [CompletionResultType]::ParameterValue, 'Let calls of a workload to a host go for a while, whatever policies and routes say')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'Show the access log: all of it, or the entries of a level, a time, or a pattern')
            [CompletionResult]::new('trace', 'trace', [CompletionResultType]::ParameterValue, 'Show what would happen to a call, and why: routes, rules, checks, and the lines that would be logged')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Show which recorded calls a changed configuration would refuse, and which let through')
            [CompletionResult]::new('generate', 'generate', [CompletionResultType]::ParameterValue, 'Write manifests out of recorded calls')
            [CompletionResult]::new('why', 'why', [CompletionResultType]::ParameterValue, 'Show why a call was refused, or that it was let go: the recorded decision, the values that were compared, and what would have let it through')
            [CompletionResult]::new('validate', 'validate', [CompletionResultType]::ParameterValue, 'Check files without registry and proxy: exit status 0 if all is valid, though there may be warnings, 1 if not')
            [CompletionResult]::new('analyze', 'analyze', [CompletionResultType]::ParameterValue, 'Find what is wrong with everything that is declared together: what is missing, in conflict, shadowed, hidden by encryption, or without effect. Exit status 79 if anything is as bad as --failure-threshold')
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Run a command of this machine as a workload, in a sandbox that only its sidecar leads out of')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run a command of this machine as a workload, in a sandbox that only its sidecar leads out of')
            [CompletionResult]::new('proxy', 'proxy', [CompletionResultType]::ParameterValue, 'Start, ask and stop the forward proxy')
            [CompletionResult]::new('proxy-config', 'proxy-config', [CompletionResultType]::ParameterValue, 'Show what running proxies have compiled, and which resource each piece came from')
            [CompletionResult]::new('proxy-status', 'proxy-status', [CompletionResultType]::ParameterValue, 'Show whether running proxies are in step with what is declared')
            [CompletionResult]::new('identity', 'identity', [CompletionResultType]::ParameterValue, 'Show, rotate and use the certificate authority that vouches for workloads')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Take the guided tour: declare, forward over TLS, record, ask; every step is checked')
            [CompletionResult]::new('eval', 'eval', [CompletionResultType]::ParameterValue, 'Try an expression of a rule or an instance: print its value and type, or what is wrong with it')
            [CompletionResult]::new('api-resources', 'api-resources', [CompletionResultType]::ParameterValue, 'List the kinds of resources that can be declared')
            [CompletionResult]::new('completion', 'completion', [CompletionResultType]::ParameterValue, 'Print a script that completes commands and flags in bash, zsh, fish, elvish or powershell')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'Print the version of this program')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'egressctl;help;create' {
            [CompletionResult]::new('namespace', 'namespace', [CompletionResultType]::ParameterValue, 'Create a namespace')
            [CompletionResult]::new('serviceaccount', 'serviceaccount', [CompletionResultType]::ParameterValue, 'Create a service account')
            [CompletionResult]::new('token', 'token', [CompletionResultType]::ParameterValue, 'Print a token for a service account')
            break
        }
        'egressctl;help;create;namespace' {
            break
        }
        'egressctl;help;create;serviceaccount' {
            break
        }
        'egressctl;help;create;token' {
            break
        }
        'egressctl;help;apply' {
            break
        }
        'egressctl;help;replace' {
            break
        }
        'egressctl;help;get' {
            break
        }
        'egressctl;help;describe' {
            break
        }
        'egressctl;help;delete' {
            break
        }
        'egressctl;help;allow' {
            break
        }
        'egressctl;help;logs' {
            [CompletionResult]::new('seal', 'seal', [CompletionResultType]::ParameterValue, 'Seal the newest entries into a Parquet file now, instead of when enough have gathered')
            [CompletionResult]::new('prune', 'prune', [CompletionResultType]::ParameterValue, 'Remove old entries from the sealed log')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check that nothing in the log was cut off, changed, taken out or put in another order')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Take the entries of files into the log')
            [CompletionResult]::new('stats', 'stats', [CompletionResultType]::ParameterValue, 'Count entries by time and by their fields: lines, or with --all --instance access calls')
            [CompletionResult]::new('facets', 'facets', [CompletionResultType]::ParameterValue, 'Show the most frequent values of each field')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write entries into files for other tools')
            break
        }
        'egressctl;help;logs;seal' {
            break
        }
        'egressctl;help;logs;prune' {
            break
        }
        'egressctl;help;logs;verify' {
            break
        }
        'egressctl;help;logs;import' {
            break
        }
        'egressctl;help;logs;stats' {
            break
        }
        'egressctl;help;logs;facets' {
            break
        }
        'egressctl;help;logs;export' {
            break
        }
        'egressctl;help;trace' {
            break
        }
        'egressctl;help;replay' {
            break
        }
        'egressctl;help;generate' {
            [CompletionResult]::new('policy', 'policy', [CompletionResultType]::ParameterValue, 'The least policy that allows the recorded calls that went, and nothing else')
            break
        }
        'egressctl;help;generate;policy' {
            break
        }
        'egressctl;help;why' {
            break
        }
        'egressctl;help;validate' {
            break
        }
        'egressctl;help;analyze' {
            break
        }
        'egressctl;help;exec' {
            break
        }
        'egressctl;help;run' {
            break
        }
        'egressctl;help;proxy' {
            [CompletionResult]::new('start', 'start', [CompletionResultType]::ParameterValue, 'Run a proxy in the foreground: a sidecar for each --listen, and the egress gateway, in one process or two')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the proxies that run on this state directory')
            [CompletionResult]::new('metrics', 'metrics', [CompletionResultType]::ParameterValue, 'Print a proxy''s counters, and the metrics of its prometheus handlers, in Prometheus'' text form')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'Let a proxy finish its calls and end')
            break
        }
        'egressctl;help;proxy;start' {
            break
        }
        'egressctl;help;proxy;status' {
            break
        }
        'egressctl;help;proxy;metrics' {
            break
        }
        'egressctl;help;proxy;stop' {
            break
        }
        'egressctl;help;proxy-config' {
            break
        }
        'egressctl;help;proxy-status' {
            break
        }
        'egressctl;help;identity' {
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show the authorities that sign or are trusted')
            [CompletionResult]::new('issue', 'issue', [CompletionResultType]::ParameterValue, 'Issue a certificate with a new key')
            [CompletionResult]::new('rotate', 'rotate', [CompletionResultType]::ParameterValue, 'Let a new root, or an authority of your own, take over')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Print the roots that are trusted, in PEM')
            break
        }
        'egressctl;help;identity;show' {
            break
        }
        'egressctl;help;identity;issue' {
            break
        }
        'egressctl;help;identity;rotate' {
            break
        }
        'egressctl;help;identity;export' {
            break
        }
        'egressctl;help;demo' {
            break
        }
        'egressctl;help;eval' {
            break
        }
        'egressctl;help;api-resources' {
            break
        }
        'egressctl;help;completion' {
            break
        }
        'egressctl;help;version' {
            break
        }
        'egressctl;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
