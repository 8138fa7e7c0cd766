# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_egressctl_global_optspecs
    string join \n n/namespace= state-dir= color= h/help V/version
end

function __fish_egressctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_egressctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_egressctl_using_subcommand
    set -l cmd (__fish_egressctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c egressctl -n "__fish_egressctl_needs_command" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_needs_command" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_needs_command" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c egressctl -n "__fish_egressctl_needs_command" -s V -l version -d 'Print version'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "create" -d 'Create resources from files, directories, URLs or standard input'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "apply" -d 'Create the resources that files declare, or change them to what is declared there'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "replace" -d 'Replace resources that are there by what files declare'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "get" -d 'Show resources as a table, or as YAML, JSON or what a template finds in them'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "describe" -d 'Show all fields of resources, by name, by the start of a name, or by labels'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "delete" -d 'Delete resources by name, by labels, or those that files declare'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "allow" -d 'Let calls of a workload to a host go for a while, whatever policies and routes say'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "logs" -d 'Show the access log: all of it, or the entries of a level, a time, or a pattern'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "trace" -d 'Show what would happen to a call, and why: routes, rules, checks, and the lines that would be logged'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "replay" -d 'Show which recorded calls a changed configuration would refuse, and which let through'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "generate" -d 'Write manifests out of recorded calls'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "why" -d 'Show why a call was refused, or that it was let go: the recorded decision, the values that were compared, and what would have let it through'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "validate" -d 'Check files without registry and proxy: exit status 0 if all is valid, though there may be warnings, 1 if not'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "analyze" -d 'Find what is wrong with everything that is declared together: what is missing, in conflict, shadowed, hidden by encryption, or without effect. Exit status 79 if anything is as bad as --failure-threshold'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "exec" -d 'Run a command of this machine as a workload, in a sandbox that only its sidecar leads out of'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "run" -d 'Run a command of this machine as a workload, in a sandbox that only its sidecar leads out of'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "proxy" -d 'Start, ask and stop the forward proxy'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "proxy-config" -d 'Show what running proxies have compiled, and which resource each piece came from'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "pc" -d 'Show what running proxies have compiled, and which resource each piece came from'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "proxy-status" -d 'Show whether running proxies are in step with what is declared'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "ps" -d 'Show whether running proxies are in step with what is declared'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "identity" -d 'Show, rotate and use the certificate authority that vouches for workloads'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "demo" -d 'Take the guided tour: declare, forward over TLS, record, ask; every step is checked'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "eval" -d 'Try an expression of a rule or an instance: print its value and type, or what is wrong with it'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "api-resources" -d 'List the kinds of resources that can be declared'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "completion" -d 'Print a script that completes commands and flags in bash, zsh, fish, elvish or powershell'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "version" -d 'Print the version of this program'
complete -c egressctl -n "__fish_egressctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and not __fish_seen_subcommand_from namespace ns serviceaccount sa token" -s f -l filename -d 'File, directory or URL with the resources; - reads standard input' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and not __fish_seen_subcommand_from namespace ns serviceaccount sa token" -l dry-run -d 'Check everything, but change nothing: none, client or server' -r -f -a "none\t'It is made'
client\t'Not made'
server\t'Not made'"
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and not __fish_seen_subcommand_from namespace ns serviceaccount sa token" -s o -l output -d 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE' -r -f -a "custom-columns=\t''
json\t''
jsonpath=\t''
name\t''
wide\t''
yaml\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and not __fish_seen_subcommand_from namespace ns serviceaccount sa token" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and not __fish_seen_subcommand_from namespace ns serviceaccount sa token" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and not __fish_seen_subcommand_from namespace ns serviceaccount sa token" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and not __fish_seen_subcommand_from namespace ns serviceaccount sa token" -s R -l recursive -d 'Read the directories below those named by -f, too'
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and not __fish_seen_subcommand_from namespace ns serviceaccount sa token" -l save-config -d 'Keep what was declared in an annotation, so that apply can be used later'
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and not __fish_seen_subcommand_from namespace ns serviceaccount sa token" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and not __fish_seen_subcommand_from namespace ns serviceaccount sa token" -f -a "namespace" -d 'Create a namespace'
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and not __fish_seen_subcommand_from namespace ns serviceaccount sa token" -f -a "ns" -d 'Create a namespace'
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and not __fish_seen_subcommand_from namespace ns serviceaccount sa token" -f -a "serviceaccount" -d 'Create a service account'
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and not __fish_seen_subcommand_from namespace ns serviceaccount sa token" -f -a "sa" -d 'Create a service account'
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and not __fish_seen_subcommand_from namespace ns serviceaccount sa token" -f -a "token" -d 'Print a token for a service account'
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from namespace" -l dry-run -d 'Check everything, but change nothing: none, client or server' -r -f -a "none\t'It is made'
client\t'Not made'
server\t'Not made'"
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from namespace" -s o -l output -d 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE' -r -f -a "custom-columns=\t''
json\t''
jsonpath=\t''
name\t''
wide\t''
yaml\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from namespace" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from namespace" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from namespace" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from namespace" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from ns" -l dry-run -d 'Check everything, but change nothing: none, client or server' -r -f -a "none\t'It is made'
client\t'Not made'
server\t'Not made'"
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from ns" -s o -l output -d 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE' -r -f -a "custom-columns=\t''
json\t''
jsonpath=\t''
name\t''
wide\t''
yaml\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from ns" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from ns" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from ns" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from ns" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from serviceaccount" -l dry-run -d 'Check everything, but change nothing: none, client or server' -r -f -a "none\t'It is made'
client\t'Not made'
server\t'Not made'"
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from serviceaccount" -s o -l output -d 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE' -r -f -a "custom-columns=\t''
json\t''
jsonpath=\t''
name\t''
wide\t''
yaml\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from serviceaccount" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from serviceaccount" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from serviceaccount" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from serviceaccount" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from sa" -l dry-run -d 'Check everything, but change nothing: none, client or server' -r -f -a "none\t'It is made'
client\t'Not made'
server\t'Not made'"
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from sa" -s o -l output -d 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE' -r -f -a "custom-columns=\t''
json\t''
jsonpath=\t''
name\t''
wide\t''
yaml\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from sa" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from sa" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from sa" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from sa" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from token" -l duration -d 'How long it is good, from 1s to 8760h; 0 stands for 1h' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from token" -l audience -d 'Whom it is for; the proxy takes only those for egressctl; repeatable' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from token" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from token" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from token" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand create; and __fish_seen_subcommand_from token" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand apply" -s f -l filename -d 'File, directory or URL with the resources; - reads standard input' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand apply" -l dry-run -d 'Check everything, but change nothing: none, client or server' -r -f -a "none\t'It is made'
client\t'Not made'
server\t'Not made'"
complete -c egressctl -n "__fish_egressctl_using_subcommand apply" -s o -l output -d 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE' -r -f -a "custom-columns=\t''
json\t''
jsonpath=\t''
name\t''
wide\t''
yaml\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand apply" -l since -d 'How far back the recorded calls go that --replay-check looks at [default: all]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand apply" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand apply" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand apply" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand apply" -s R -l recursive -d 'Read the directories below those named by -f, too'
complete -c egressctl -n "__fish_egressctl_using_subcommand apply" -l replay-check -d 'Apply nothing if a recorded call that went would be refused then (see replay)'
complete -c egressctl -n "__fish_egressctl_using_subcommand apply" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand replace" -s f -l filename -d 'File, directory or URL with the resources; - reads standard input' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand replace" -l dry-run -d 'Check everything, but change nothing: none, client or server' -r -f -a "none\t'It is made'
client\t'Not made'
server\t'Not made'"
complete -c egressctl -n "__fish_egressctl_using_subcommand replace" -s o -l output -d 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE' -r -f -a "custom-columns=\t''
json\t''
jsonpath=\t''
name\t''
wide\t''
yaml\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand replace" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand replace" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand replace" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand replace" -s R -l recursive -d 'Read the directories below those named by -f, too'
complete -c egressctl -n "__fish_egressctl_using_subcommand replace" -l force -d 'Delete and create anew, whether it is there or not'
complete -c egressctl -n "__fish_egressctl_using_subcommand replace" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand get" -s l -l selector -d 'Only resources with these labels: app=sleep,tier!=db,env in (a,b),!old' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand get" -s o -l output -d 'custom-columns=HEADING:PATH,…, json, jsonpath=TEMPLATE, name, wide or yaml' -r -f -a "custom-columns=\t''
json\t''
jsonpath=\t''
name\t''
wide\t''
yaml\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand get" -s L -l label-columns -d 'A column for each of these labels' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand get" -l sort-by -d 'Sort by the value at this path, for example .metadata.creationTimestamp' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand get" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand get" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand get" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand get" -s A -l all-namespaces -d 'Resources of all namespaces'
complete -c egressctl -n "__fish_egressctl_using_subcommand get" -l show-labels -d 'A column with all labels'
complete -c egressctl -n "__fish_egressctl_using_subcommand get" -l no-headers -d 'No headings'
complete -c egressctl -n "__fish_egressctl_using_subcommand get" -l ignore-not-found -d 'Say nothing of names that are not there'
complete -c egressctl -n "__fish_egressctl_using_subcommand get" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand describe" -s l -l selector -d 'Only resources with these labels: app=sleep,tier!=db,env in (a,b),!old' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand describe" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand describe" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand describe" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand describe" -s A -l all-namespaces -d 'Resources of all namespaces'
complete -c egressctl -n "__fish_egressctl_using_subcommand describe" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -s f -l filename -d 'File, directory or URL with the resources; - reads standard input' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -s l -l selector -d 'Only resources with these labels: app=sleep,tier!=db,env in (a,b),!old' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -l dry-run -d 'Check everything, but change nothing: none, client or server' -r -f -a "none\t'It is made'
client\t'Not made'
server\t'Not made'"
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -s o -l output -d 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE' -r -f -a "custom-columns=\t''
json\t''
jsonpath=\t''
name\t''
wide\t''
yaml\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -l timeout -r
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -l grace-period -r
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -l cascade -r
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -s R -l recursive -d 'Read the directories below those named by -f, too'
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -s A -l all-namespaces -d 'Resources of all namespaces'
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -l all -d 'Every resource of the kind in the namespace'
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -l ignore-not-found -d 'A name that is not there is no error'
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -l force -d 'Say that deletion was forced; deletion is always immediate here'
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -l wait
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -l now
complete -c egressctl -n "__fish_egressctl_using_subcommand delete" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand allow" -l from -d 'The workload (Deployment or Pod) whose calls go' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand allow" -l for -d 'How long, at most 7d' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand allow" -l uses -d 'How many calls, tunnels or WebSockets may go that would have been refused [default: any number]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand allow" -l reason -d 'Why; it stands in the log' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand allow" -l dry-run -d 'Check everything, but change nothing: none, client or server' -r -f -a "none\t'It is made'
client\t'Not made'
server\t'Not made'"
complete -c egressctl -n "__fish_egressctl_using_subcommand allow" -s o -l output -d 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE' -r -f -a "custom-columns=\t''
json\t''
jsonpath=\t''
name\t''
wide\t''
yaml\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand allow" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand allow" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand allow" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand allow" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l container -d 'Container of the pod; also -c NAME' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -s l -l selector -d 'The log of the pods with these labels, or what the workloads with these labels called' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l level -d 'Only entries of this level: info, warn, error; with + also worse ones (warn+)' -r -f -a "info\t''
warn\t''
warn+\t''
error\t''
error+\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -s g -l grep -d 'Only lines that contain this regular expression; several must all be contained' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l exclude -d 'Only lines that contain none of these' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l host -d 'Only calls of these hosts; * stands for any characters' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l path -d 'Only calls of these paths' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l source -d 'Only calls of these workloads' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l source-namespace -d 'Only calls of workloads of these namespaces' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l principal -d 'Only calls with these principals' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l code -d 'Only answers with these codes: 403, 4xx, 400-404, 400+' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l method -d 'Only calls with these methods, in whatever case' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l verdict -d 'Only what was decided so: allow, deny, would-deny; a call that was allowed may have failed all the same' -r -f -a "allow\t''
deny\t''
would-deny\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l id -d 'Only the decision of this id' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l field -d 'Only entries of which a field is so; with != is not so' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l where -d 'Only entries of which this expression over their fields is true, in the language of rules' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l instance -d 'Only entries of this instance: NAME, NAME.KIND or NAME.KIND.NAMESPACE' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l handler -d 'Only entries of this handler, named likewise' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l rule -d 'Only entries of this rule, named likewise' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l since -d 'Only entries newer than this: 90s, 10m, 1h30m, 2d' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l since-time -d 'Only entries after this time: 2018-06-18T13:22:58Z' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l until -d 'Only entries before this time, or older than this duration' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l tail -d 'Only the last entries, in the order in which they were recorded or imported; -1 for all' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l head -d 'Only the first entries, in that order' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -s c -d 'With a name the container, as --container has it; without one --count' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -s A -l after-context -d 'Also so many entries after each, whatever they are, in the order in which they were recorded' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -s B -l before-context -d 'Also so many entries before each' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -s C -l context -d 'Also so many entries before and after each' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -s o -l output -d 'line: as the handler printed it; json: as it is stored; table: as wide as the terminal; wide: all of it, with handler and rule; csv; parquet; name: the instance' -r -f -a "line\t''
json\t''
table\t''
wide\t''
csv\t''
parquet\t''
name\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l columns -d 'The columns of a table or of csv' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -s H -l highlight -d 'Let this stand out, without leaving out other lines' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l all -d 'Also the records that are kept of all calls, one of each, whether rules ask for lines of it or not; with --instance access these alone'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -s F -l fixed-strings -d 'Take the patterns as they stand, not as regular expressions'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -s i -l ignore-case -d 'Ignore case in patterns'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -s v -l invert-match -d 'Only lines that contain none of the patterns'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -s w -l word-regexp -d 'Find patterns only as whole words'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -s f -l follow -d 'Stay, and show new entries as they come'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l count -d 'Print only how many entries there are: lines, not calls, but with --all --instance access'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l exit-status -d 'Exit with 1 if there is no entry, and with 2 on an error'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l stats -d 'Say on standard error what it took'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l timestamps -d 'The time before each line'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l relative -d 'How long ago instead of times, in tables and before lines'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l local -d 'Times of this computer\'s zone instead of UTC, in tables and before lines'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l only-matching -d 'Print only what the patterns find, each on a line'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -l prefix -d 'The pod and container before each line'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -a "seal" -d 'Seal the newest entries into a Parquet file now, instead of when enough have gathered'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -a "prune" -d 'Remove old entries from the sealed log'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -a "verify" -d 'Check that nothing in the log was cut off, changed, taken out or put in another order'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -a "import" -d 'Take the entries of files into the log'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -a "stats" -d 'Count entries by time and by their fields: lines, or with --all --instance access calls'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -a "facets" -d 'Show the most frequent values of each field'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and not __fish_seen_subcommand_from seal prune verify import stats facets export" -a "export" -d 'Write entries into files for other tools'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from seal" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from seal" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from seal" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from seal" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from prune" -l keep -d 'Age at which sealed entries go: 30d, or for one level: error=90d; repeatable [default: never]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from prune" -l keep-size -d 'Bytes of all sealed entries above which the oldest go, whatever their age: 500MiB, 10GiB [default: no limit]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from prune" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from prune" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from prune" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from prune" -l dry-run -d 'Only show what would go'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from verify" -l head -d 'The log must still have all that it had when this head was exported; - for standard input' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from verify" -l export-head -d 'If the log is whole, write its signed head here, to be kept where whoever might change the log cannot write; - for standard output' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from verify" -s o -l output -d 'json for programs' -r -f -a "json\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from verify" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from verify" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from verify" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from import" -l redact -d 'What is left out of entries that have it: nothing, queries, or paths and headers too; credentials always are' -r -f -a "none\t''
query\t''
all\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from import" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from import" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from import" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l level -d 'Only entries of this level: info, warn, error; with + also worse ones (warn+)' -r -f -a "info\t''
warn\t''
warn+\t''
error\t''
error+\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -s g -l grep -d 'Only lines that contain this regular expression; several must all be contained' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l exclude -d 'Only lines that contain none of these' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l host -d 'Only calls of these hosts; * stands for any characters' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l path -d 'Only calls of these paths' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l source -d 'Only calls of these workloads' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l source-namespace -d 'Only calls of workloads of these namespaces' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l principal -d 'Only calls with these principals' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l code -d 'Only answers with these codes: 403, 4xx, 400-404, 400+' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l method -d 'Only calls with these methods, in whatever case' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l verdict -d 'Only what was decided so: allow, deny, would-deny; a call that was allowed may have failed all the same' -r -f -a "allow\t''
deny\t''
would-deny\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l id -d 'Only the decision of this id' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l field -d 'Only entries of which a field is so; with != is not so' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l where -d 'Only entries of which this expression over their fields is true, in the language of rules' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l instance -d 'Only entries of this instance: NAME, NAME.KIND or NAME.KIND.NAMESPACE' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l handler -d 'Only entries of this handler, named likewise' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l rule -d 'Only entries of this rule, named likewise' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l since -d 'Only entries newer than this: 90s, 10m, 1h30m, 2d' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l since-time -d 'Only entries after this time: 2018-06-18T13:22:58Z' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l until -d 'Only entries before this time, or older than this duration' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l by -d 'Count by these fields' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l top -d 'Show only so many groups, those with most entries; 0 for all' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l measure -d 'Add up the numbers of these fields' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l percentiles -d 'Below which numbers so many of a hundred lie' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l interval -d 'Count by time: 1m, 1h, 1d' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -s o -l output -d 'table, json, markdown' -r -f -a "table\t''
json\t''
markdown\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -l all -d 'Also the records that are kept of all calls, one of each, whether rules ask for lines of it or not; with --instance access these alone'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -s F -l fixed-strings -d 'Take the patterns as they stand, not as regular expressions'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -s i -l ignore-case -d 'Ignore case in patterns'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -s v -l invert-match -d 'Only lines that contain none of the patterns'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -s w -l word-regexp -d 'Find patterns only as whole words'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from stats" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l level -d 'Only entries of this level: info, warn, error; with + also worse ones (warn+)' -r -f -a "info\t''
warn\t''
warn+\t''
error\t''
error+\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -s g -l grep -d 'Only lines that contain this regular expression; several must all be contained' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l exclude -d 'Only lines that contain none of these' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l host -d 'Only calls of these hosts; * stands for any characters' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l path -d 'Only calls of these paths' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l source -d 'Only calls of these workloads' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l source-namespace -d 'Only calls of workloads of these namespaces' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l principal -d 'Only calls with these principals' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l code -d 'Only answers with these codes: 403, 4xx, 400-404, 400+' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l method -d 'Only calls with these methods, in whatever case' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l verdict -d 'Only what was decided so: allow, deny, would-deny; a call that was allowed may have failed all the same' -r -f -a "allow\t''
deny\t''
would-deny\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l id -d 'Only the decision of this id' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l field -d 'Only entries of which a field is so; with != is not so' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l where -d 'Only entries of which this expression over their fields is true, in the language of rules' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l instance -d 'Only entries of this instance: NAME, NAME.KIND or NAME.KIND.NAMESPACE' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l handler -d 'Only entries of this handler, named likewise' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l rule -d 'Only entries of this rule, named likewise' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l since -d 'Only entries newer than this: 90s, 10m, 1h30m, 2d' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l since-time -d 'Only entries after this time: 2018-06-18T13:22:58Z' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l until -d 'Only entries before this time, or older than this duration' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l fields -d 'Only these fields' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l top -d 'Show so many values of each field; 0 for all' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -s o -l output -d 'json for programs' -r -f -a "json\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -l all -d 'Also the records that are kept of all calls, one of each, whether rules ask for lines of it or not; with --instance access these alone'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -s F -l fixed-strings -d 'Take the patterns as they stand, not as regular expressions'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -s i -l ignore-case -d 'Ignore case in patterns'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -s v -l invert-match -d 'Only lines that contain none of the patterns'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -s w -l word-regexp -d 'Find patterns only as whole words'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from facets" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l to -d 'NAME.jsonl, NAME.csv, NAME.parquet, or a folder; - for standard output' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l columns -d 'Columns of csv' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l level -d 'Only entries of this level: info, warn, error; with + also worse ones (warn+)' -r -f -a "info\t''
warn\t''
warn+\t''
error\t''
error+\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -s g -l grep -d 'Only lines that contain this regular expression; several must all be contained' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l exclude -d 'Only lines that contain none of these' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l host -d 'Only calls of these hosts; * stands for any characters' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l path -d 'Only calls of these paths' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l source -d 'Only calls of these workloads' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l source-namespace -d 'Only calls of workloads of these namespaces' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l principal -d 'Only calls with these principals' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l code -d 'Only answers with these codes: 403, 4xx, 400-404, 400+' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l method -d 'Only calls with these methods, in whatever case' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l verdict -d 'Only what was decided so: allow, deny, would-deny; a call that was allowed may have failed all the same' -r -f -a "allow\t''
deny\t''
would-deny\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l id -d 'Only the decision of this id' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l field -d 'Only entries of which a field is so; with != is not so' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l where -d 'Only entries of which this expression over their fields is true, in the language of rules' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l instance -d 'Only entries of this instance: NAME, NAME.KIND or NAME.KIND.NAMESPACE' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l handler -d 'Only entries of this handler, named likewise' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l rule -d 'Only entries of this rule, named likewise' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l since -d 'Only entries newer than this: 90s, 10m, 1h30m, 2d' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l since-time -d 'Only entries after this time: 2018-06-18T13:22:58Z' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l until -d 'Only entries before this time, or older than this duration' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -l all -d 'Also the records that are kept of all calls, one of each, whether rules ask for lines of it or not; with --instance access these alone'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -s F -l fixed-strings -d 'Take the patterns as they stand, not as regular expressions'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -s i -l ignore-case -d 'Ignore case in patterns'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -s v -l invert-match -d 'Only lines that contain none of the patterns'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -s w -l word-regexp -d 'Find patterns only as whole words'
complete -c egressctl -n "__fish_egressctl_using_subcommand logs; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -l decision -d 'The recorded call of this decision, instead of one that is described' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -s f -l filename -d 'File, directory or URL with the resources; - reads standard input' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -l from -d 'The workload (Deployment or Pod) that calls; without it the caller is unknown' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -s X -l request -d 'Method' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -s H -l header -d 'Header of the request; repeatable' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -l hop -d 'Where the call comes to' -r -f -a "sidecar\t''
gateway\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -l port -d 'The port that is dialled, or the server\'s with --hop gateway [default: the URL\'s]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -l sni -d 'The server name that TLS asks for; empty for none [default: the host]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -l source-ip -d 'The caller\'s address [default: 127.0.0.1]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -l outbound-traffic-policy -d 'Which hosts workloads may call, instead of asking a running proxy [default: REGISTRY_ONLY]' -r -f -a "REGISTRY_ONLY\t''
ALLOW_ANY\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -l proxy -d 'The running proxy to ask [default: the first that has a listener for the workload; none: what is declared]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -l at -d 'When the call is made, as 2018-06-18T13:22:58Z [default: now]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -s o -l output -d 'json for scripts' -r -f -a "json\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -s R -l recursive -d 'Read the directories below those named by -f, too'
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -l batch -d 'Read calls from standard input, {"id","manifest","from","request":{"method","url","headers":{},…}} a line; --help says which fields there are'
complete -c egressctl -n "__fish_egressctl_using_subcommand trace" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c egressctl -n "__fish_egressctl_using_subcommand replay" -s f -l filename -d 'File, directory or URL with the resources; - reads standard input' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand replay" -l since -d 'Only calls newer than this: 90s, 10m, 1h30m, 7d [default: all that were recorded]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand replay" -l from -d 'Only calls of this workload' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand replay" -l outbound-traffic-policy -d 'Which hosts workloads may call where no Sidecar says so' -r -f -a "REGISTRY_ONLY\t''
ALLOW_ANY\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand replay" -s o -l output -d 'json for scripts' -r -f -a "json\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand replay" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand replay" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand replay" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand replay" -s R -l recursive -d 'Read the directories below those named by -f, too'
complete -c egressctl -n "__fish_egressctl_using_subcommand replay" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand generate; and not __fish_seen_subcommand_from policy help" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand generate; and not __fish_seen_subcommand_from policy help" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand generate; and not __fish_seen_subcommand_from policy help" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand generate; and not __fish_seen_subcommand_from policy help" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand generate; and not __fish_seen_subcommand_from policy help" -f -a "policy" -d 'The least policy that allows the recorded calls that went, and nothing else'
complete -c egressctl -n "__fish_egressctl_using_subcommand generate; and not __fish_seen_subcommand_from policy help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c egressctl -n "__fish_egressctl_using_subcommand generate; and __fish_seen_subcommand_from policy" -l since -d 'Only calls newer than this: 90s, 10m, 1h30m, 7d [default: all that were recorded]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand generate; and __fish_seen_subcommand_from policy" -l from -d 'Only calls of this workload; those of others are not touched by the policy' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand generate; and __fish_seen_subcommand_from policy" -l style -d 'listchecker: lists that every call is checked against; authorization: an AuthorizationPolicy at the egress gateway' -r -f -a "listchecker\t''
authorization\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand generate; and __fish_seen_subcommand_from policy" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand generate; and __fish_seen_subcommand_from policy" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand generate; and __fish_seen_subcommand_from policy" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand generate; and __fish_seen_subcommand_from policy" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand generate; and __fish_seen_subcommand_from help" -f -a "policy" -d 'The least policy that allows the recorded calls that went, and nothing else'
complete -c egressctl -n "__fish_egressctl_using_subcommand generate; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c egressctl -n "__fish_egressctl_using_subcommand why" -s o -l output -d 'json for scripts' -r -f -a "json\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand why" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand why" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand why" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand why" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand validate" -s f -l filename -d 'File, directory or URL with the resources; - reads standard input' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand validate" -s o -l output -d 'json for scripts' -r -f -a "json\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand validate" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand validate" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand validate" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand validate" -s R -l recursive -d 'Read the directories below those named by -f, too'
complete -c egressctl -n "__fish_egressctl_using_subcommand validate" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand analyze" -s f -l filename -d 'File, directory or URL with the resources; - reads standard input' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand analyze" -s k -l use-kube -d 'Whether what is declared in the registry counts; false for files alone' -r -f -a "true\t''
false\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand analyze" -s S -l suppress -d 'Leave out a code for a resource, as in "IST0129=DestinationRule cnn.default"; * stands for anything; repeatable' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand analyze" -l failure-threshold -d 'Exit with status 79 for findings as bad as this: Info, Warning or Error' -r -f -a "Info\t''
Warning\t''
Error\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand analyze" -l output-threshold -d 'Show findings as bad as this: Info, Warning or Error' -r -f -a "Info\t''
Warning\t''
Error\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand analyze" -s o -l output -d 'log, json or yaml; the last two never fail because of findings' -r -f -a "log\t'A line each'
json\t'A list of objects'
yaml\t'The same'"
complete -c egressctl -n "__fish_egressctl_using_subcommand analyze" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand analyze" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand analyze" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand analyze" -s R -l recursive -d 'Read the directories below those named by -f, too'
complete -c egressctl -n "__fish_egressctl_using_subcommand analyze" -s A -l all-namespaces -d 'Show findings of all namespaces'
complete -c egressctl -n "__fish_egressctl_using_subcommand analyze" -l ignore-unknown -d 'Pass over documents of unknown kinds'
complete -c egressctl -n "__fish_egressctl_using_subcommand analyze" -s L -l list-codes -d 'List the codes with their levels and meanings, and do nothing else'
complete -c egressctl -n "__fish_egressctl_using_subcommand analyze" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand exec" -s c -l container -d 'Container of the pod' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand exec" -l node -d 'The proxy that takes its calls [default: the first that runs on this state directory]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand exec" -l audit -d 'Let go what the present policy would refuse, and tell at the end what was called (on standard error, or as JSON in FILE); that it was so is recorded' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand exec" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand exec" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand exec" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand exec" -s i -l stdin -d 'Pass standard input on'
complete -c egressctl -n "__fish_egressctl_using_subcommand exec" -s t -l tty -d 'Give it a terminal, if there is one'
complete -c egressctl -n "__fish_egressctl_using_subcommand exec" -l private-tmp -d 'Give it an empty /tmp and /var/tmp of its own, in which no socket of others can appear'
complete -c egressctl -n "__fish_egressctl_using_subcommand exec" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand run" -l from -d 'Workload (Deployment or Pod) that it runs as [default: the only one of the namespace]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand run" -l node -d 'The proxy that takes its calls [default: the first that runs on this state directory]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand run" -l audit -d 'Let go what the present policy would refuse, and tell at the end what was called (on standard error, or as JSON in FILE); that it was so is recorded' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand run" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand run" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand run" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand run" -l best-effort -d 'Isolate nothing: only tell the command by variables to call through the proxy; this is recorded'
complete -c egressctl -n "__fish_egressctl_using_subcommand run" -l private-tmp -d 'Give it an empty /tmp and /var/tmp of its own, in which no socket of others can appear'
complete -c egressctl -n "__fish_egressctl_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and not __fish_seen_subcommand_from start status metrics stop help" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and not __fish_seen_subcommand_from start status metrics stop help" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and not __fish_seen_subcommand_from start status metrics stop help" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and not __fish_seen_subcommand_from start status metrics stop help" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and not __fish_seen_subcommand_from start status metrics stop help" -f -a "start" -d 'Run a proxy in the foreground: a sidecar for each --listen, and the egress gateway, in one process or two'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and not __fish_seen_subcommand_from start status metrics stop help" -f -a "status" -d 'Show the proxies that run on this state directory'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and not __fish_seen_subcommand_from start status metrics stop help" -f -a "metrics" -d 'Print a proxy\'s counters, and the metrics of its prometheus handlers, in Prometheus\' text form'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and not __fish_seen_subcommand_from start status metrics stop help" -f -a "stop" -d 'Let a proxy finish its calls and end'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and not __fish_seen_subcommand_from start status metrics stop help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l role -d 'What to play: sidecars and the egress gateway, or one of them, with the other in another process' -r -f -a "all\t''
sidecar\t''
gateway\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l listen -d 'Sidecar listener, and the workload (Deployment or Pod) whose calls it takes; without one its callers may show tokens (see create token); repeatable [default: 127.0.0.1:15001, unless --gateway-listen is given]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l mesh-listen -d 'Where the egress gateway takes the calls of sidecars of other processes, by mutual TLS alone [default of role gateway: 127.0.0.1:15443]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l gateway -d 'Where the egress gateway of another process is [default: where it says itself in the state directory]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l trust-domain -d 'Trust domain of all identities; chosen when the authority is made [default: cluster.local]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l identity -d 'Prove and believe by what `identity issue --out DIR` has written, instead of by the state directory\'s authority, whose key is then not needed; read anew when it is replaced' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l certificate-ttl -d 'How long certificates of workloads are valid; they are renewed at half their life' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l gateway-listen -d 'Listener for callers without sidecar, who come to the egress gateway\'s servers on PORT; repeatable' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l resolve -d 'Connect to ADDR when HOST and PORT are called, as curl does; repeatable' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l dns-server -d 'Ask this name server instead of the system\'s; repeatable' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l ca-file -d 'Trust the authorities in this PEM file instead of the system\'s' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l metrics-listen -d 'Serve metrics to Prometheus at http://ADDR/metrics, to whoever reaches the address' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l otlp-endpoint -d 'Tell an OpenTelemetry collector of each call that is recorded (see --access): a span and a log record, by OTLP over HTTP in JSON, to URL/v1/traces and URL/v1/logs; origins are then told the span in traceparent' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l workers -d 'Worker threads [default: one for each core]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l outbound-traffic-policy -d 'Which hosts may be called where no Sidecar says so: registered ones, or any' -r -f -a "REGISTRY_ONLY\t''
ALLOW_ANY\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l path-normalization -d 'How paths are normalized before they are judged: strictly, or as Istio\'s modes do [default: as the ConfigMap istio says in pathNormalization.normalization, or STRICT]' -r -f -a "STRICT\t''
NONE\t''
BASE\t''
MERGE_SLASHES\t''
DECODE_AND_MERGE_SLASHES\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l on-check-failure -d 'What to do with a call when a check that applies to it cannot be carried out' -r -f -a "deny\t''
allow\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l drain-timeout -d 'How long running calls have when the proxy is stopped' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l response-timeout -d 'How long an origin has for the head of its answer where the route says nothing, and may pause in its body' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l max-stream-duration -d 'How long a call may last in all, tunnels and WebSockets included [default: no limit]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l tunnel-idle-timeout -d 'How long a tunnel may lie idle' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l header-timeout -d 'How long a client may take for the head of a request, and lie idle before the next one' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l max-header-bytes -d 'Most bytes of a request\'s head; a longer one gets 431' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l max-header-fields -d 'Most header fields of a request; one with more gets 431' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l max-connections -d 'Most client connections of one worker; one more gets 503' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l max-connections-per-caller -d 'Most of them of one caller, an address at one listener; one more gets 429 [default: three quarters of all]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l max-tunnels -d 'Most tunnels of one worker, at most half as many as requests' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l max-requests-per-caller -d 'Most requests under way of one caller, a workload or the address of who is none, at one worker; one more gets 429 [default: no limit]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l max-connections-per-destination -d 'Most connections of one worker to one destination, an address with what is spoken there; a call that would need one more gets 503 [default: three quarters of --max-connections]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l max-pending-per-destination -d 'Most of them that are being made at a time; a call that would need one more gets 503 [default: a quarter of --max-connections]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l max-resets-per-connection -d 'Most calls that a client of HTTP/2 may break off on one connection, as long as they are most of its calls: then the connection ends' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l max-memory -d 'Refuse calls with 503 while the process has nearly so much memory: 512MiB [default: the limit of its control group]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l access -d 'Of which calls a record is kept, whether a rule asks for a line or not (logs --all shows them)' -r -f -a "off\t''
refused\t''
all\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l redact -d 'What is left out of these records: nothing, the query, or the path and headers too; credentials always are' -r -f -a "none\t''
query\t''
all\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l durability -d 'group: calls are recorded a moment after they end; strict: a call leaves only when its intent is on disk' -r -f -a "group\t''
strict\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l log-full -d 'What becomes of calls while the log takes no entries (a full disk) and its queue is full: refused with 503, or served and counted, without a record' -r -f -a "refuse\t''
serve\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l log-queue -d 'How many calls may be under way or not yet in the log; half of them may be tunnels' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l seal-rows -d 'Seal log entries into a Parquet file when so many have gathered' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l seal-age -d 'Seal log entries when the oldest is so old' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l keep -d 'Age at which sealed entries go: 30d, or for one level: error=90d; repeatable [default: never]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l keep-size -d 'Bytes of all sealed entries above which the oldest go, whatever their age: 500MiB, 10GiB [default: no limit]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l profile -d 'Sample where the process spends its time, and write a flame graph to FILE (SVG) when it ends, and at SIGUSR1; costs about a hundredth of its speed' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l node -d 'Name of this proxy, one of each in a state directory [default: egressgateway; of role sidecar: sidecar]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l require-identity -d 'Refuse calls to sidecar listeners that prove no caller, by the listener or by a token'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l identify-users -d 'At listeners without workload, know callers of this machine who show no token by the user that owns their socket: they are the workload whose Pods run as that user (securityContext.runAsUser)'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l report-only -d 'Record what rules would refuse, and let every call go'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l proxy-protocol -d 'Take the caller\'s address from the PROXY protocol (version 1 or 2), with which every connection then must begin'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l replace -d 'Go on instead of the proxy of this name, if one runs: its listening sockets are taken over when everything is ready, so that no connection is lost, and it ends when its calls are done. SIGUSR2 makes a proxy start its program anew so'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -l until-eof -d 'Stop when standard input ends, for a proxy that another program starts'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from start" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -s o -l output -d 'json or yaml for the whole status' -r -f -a "json\t''
yaml\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from metrics" -l node -d 'Name of the proxy' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from metrics" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from metrics" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from metrics" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from metrics" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from stop" -l node -d 'Name of the proxy' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from stop" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from stop" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from stop" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from stop" -l no-wait -d 'Return at once, while running calls are finished'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from help" -f -a "start" -d 'Run a proxy in the foreground: a sidecar for each --listen, and the egress gateway, in one process or two'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show the proxies that run on this state directory'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from help" -f -a "metrics" -d 'Print a proxy\'s counters, and the metrics of its prometheus handlers, in Prometheus\' text form'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from help" -f -a "stop" -d 'Let a proxy finish its calls and end'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-config" -l address -d 'Only listeners or endpoints of this address' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-config" -l port -d 'Only listeners, routes, clusters or endpoints of this port' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-config" -l name -d 'Only routes of this table (80, http.443) or virtual host, or clusters, secrets, rules of this name' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-config" -l fqdn -d 'Only routes and clusters of this host' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-config" -l subset -d 'Only clusters of this subset' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-config" -l cluster -d 'Only endpoints of this cluster: outbound|443||edition.cnn.com' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-config" -l status -d 'Only endpoints of this status: healthy, unhealthy' -r -f -a "healthy\t''
unhealthy\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-config" -l node -d 'Ask the proxy that was started with this --node' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-config" -s o -l output -d 'short, wide, json or yaml' -r -f -a "short\t''
wide\t''
json\t''
yaml\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-config" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-config" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-config" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c egressctl -n "__fish_egressctl_using_subcommand pc" -l address -d 'Only listeners or endpoints of this address' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand pc" -l port -d 'Only listeners, routes, clusters or endpoints of this port' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand pc" -l name -d 'Only routes of this table (80, http.443) or virtual host, or clusters, secrets, rules of this name' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand pc" -l fqdn -d 'Only routes and clusters of this host' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand pc" -l subset -d 'Only clusters of this subset' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand pc" -l cluster -d 'Only endpoints of this cluster: outbound|443||edition.cnn.com' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand pc" -l status -d 'Only endpoints of this status: healthy, unhealthy' -r -f -a "healthy\t''
unhealthy\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand pc" -l node -d 'Ask the proxy that was started with this --node' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand pc" -s o -l output -d 'short, wide, json or yaml' -r -f -a "short\t''
wide\t''
json\t''
yaml\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand pc" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand pc" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand pc" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand pc" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-status" -s o -l output -d 'json or yaml' -r -f -a "json\t''
yaml\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-status" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-status" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-status" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-status" -s v -l verbose -d 'A column for each part of the configuration'
complete -c egressctl -n "__fish_egressctl_using_subcommand proxy-status" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand ps" -s o -l output -d 'json or yaml' -r -f -a "json\t''
yaml\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand ps" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand ps" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand ps" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand ps" -s v -l verbose -d 'A column for each part of the configuration'
complete -c egressctl -n "__fish_egressctl_using_subcommand ps" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and not __fish_seen_subcommand_from show issue rotate export help" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and not __fish_seen_subcommand_from show issue rotate export help" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and not __fish_seen_subcommand_from show issue rotate export help" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and not __fish_seen_subcommand_from show issue rotate export help" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and not __fish_seen_subcommand_from show issue rotate export help" -f -a "show" -d 'Show the authorities that sign or are trusted'
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and not __fish_seen_subcommand_from show issue rotate export help" -f -a "issue" -d 'Issue a certificate with a new key'
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and not __fish_seen_subcommand_from show issue rotate export help" -f -a "rotate" -d 'Let a new root, or an authority of your own, take over'
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and not __fish_seen_subcommand_from show issue rotate export help" -f -a "export" -d 'Print the roots that are trusted, in PEM'
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and not __fish_seen_subcommand_from show issue rotate export help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from show" -l trust-domain -d 'Trust domain of all identities; chosen when the authority is made [default: cluster.local]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from show" -s o -l output -d 'json or yaml' -r -f -a "json\t''
yaml\t''
table\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from show" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from show" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from show" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from issue" -l out -d 'Directory for cert-chain.pem, key.pem and root-cert.pem, made if it is missing' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from issue" -l ttl -d 'How long it is valid, at most 90 days' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from issue" -l trust-domain -d 'Trust domain of all identities; chosen when the authority is made [default: cluster.local]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from issue" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from issue" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from issue" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from issue" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from rotate" -l cert -d 'Certificate of your own authority, a root or an intermediate, in PEM' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from rotate" -l key -d 'Its key' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from rotate" -l root -d 'The root that it leads to, if it is none itself' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from rotate" -l chain -d 'Certificates between the two' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from rotate" -l after -d 'How long the new authority is only trusted, before it signs, so that every proxy knows it by then' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from rotate" -l overlap -d 'How long the old one stays trusted after that: as long as its longest certificate is valid' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from rotate" -l trust-domain -d 'Trust domain of all identities; chosen when the authority is made [default: cluster.local]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from rotate" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from rotate" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from rotate" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from rotate" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from export" -l trust-domain -d 'Trust domain of all identities; chosen when the authority is made [default: cluster.local]' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from export" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from export" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from export" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show the authorities that sign or are trusted'
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from help" -f -a "issue" -d 'Issue a certificate with a new key'
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from help" -f -a "rotate" -d 'Let a new root, or an authority of your own, take over'
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from help" -f -a "export" -d 'Print the roots that are trusted, in PEM'
complete -c egressctl -n "__fish_egressctl_using_subcommand identity; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c egressctl -n "__fish_egressctl_using_subcommand demo" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand demo" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand demo" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand demo" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand eval" -l attr -d 'Value of an attribute; NAME[KEY]=VALUE for a key of a map, NAME:TYPE=VALUE for an attribute of your own' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand eval" -l attributes -d 'YAML or JSON file with attributes: a map from names to values; - reads standard input' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand eval" -s o -l output -d 'json' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand eval" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand eval" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand eval" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand eval" -l batch -d 'Answer lines {"id","expr","attrs","attr_types"} of standard input, each by a line'
complete -c egressctl -n "__fish_egressctl_using_subcommand eval" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand api-resources" -l api-group -d 'Only kinds of this group; the core group has the empty name' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand api-resources" -l namespaced -d 'Only kinds that live in namespaces, or only those that do not' -r -f -a "true\t''
false\t''"
complete -c egressctl -n "__fish_egressctl_using_subcommand api-resources" -l categories -d 'Only kinds of all these categories' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand api-resources" -l verbs -d 'Only kinds that know all these verbs' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand api-resources" -s o -l output -d 'wide or name' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand api-resources" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand api-resources" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand api-resources" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand api-resources" -l no-headers -d 'No headings'
complete -c egressctl -n "__fish_egressctl_using_subcommand api-resources" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand completion" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand completion" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand completion" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand completion" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand version" -s o -l output -d 'yaml or json' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand version" -s n -l namespace -d 'Namespace of the resources' -r
complete -c egressctl -n "__fish_egressctl_using_subcommand version" -l state-dir -d 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]' -r -F
complete -c egressctl -n "__fish_egressctl_using_subcommand version" -l color -d 'When to colour: a terminal alone, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; anywhere, if CLICOLOR_FORCE is'
always\t'Anywhere'
never\t'Nowhere'"
complete -c egressctl -n "__fish_egressctl_using_subcommand version" -l client -d 'Accepted for kubectl\'s sake: there is no server whose version could be asked'
complete -c egressctl -n "__fish_egressctl_using_subcommand version" -s h -l help -d 'Print help'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "create" -d 'Create resources from files, directories, URLs or standard input'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "apply" -d 'Create the resources that files declare, or change them to what is declared there'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "replace" -d 'Replace resources that are there by what files declare'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "get" -d 'Show resources as a table, or as YAML, JSON or what a template finds in them'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "describe" -d 'Show all fields of resources, by name, by the start of a name, or by labels'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "delete" -d 'Delete resources by name, by labels, or those that files declare'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "allow" -d 'Let calls of a workload to a host go for a while, whatever policies and routes say'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "logs" -d 'Show the access log: all of it, or the entries of a level, a time, or a pattern'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "trace" -d 'Show what would happen to a call, and why: routes, rules, checks, and the lines that would be logged'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "replay" -d 'Show which recorded calls a changed configuration would refuse, and which let through'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "generate" -d 'Write manifests out of recorded calls'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "why" -d 'Show why a call was refused, or that it was let go: the recorded decision, the values that were compared, and what would have let it through'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "validate" -d 'Check files without registry and proxy: exit status 0 if all is valid, though there may be warnings, 1 if not'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "analyze" -d 'Find what is wrong with everything that is declared together: what is missing, in conflict, shadowed, hidden by encryption, or without effect. Exit status 79 if anything is as bad as --failure-threshold'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "exec" -d 'Run a command of this machine as a workload, in a sandbox that only its sidecar leads out of'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "run" -d 'Run a command of this machine as a workload, in a sandbox that only its sidecar leads out of'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "proxy" -d 'Start, ask and stop the forward proxy'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "proxy-config" -d 'Show what running proxies have compiled, and which resource each piece came from'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "proxy-status" -d 'Show whether running proxies are in step with what is declared'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "identity" -d 'Show, rotate and use the certificate authority that vouches for workloads'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "demo" -d 'Take the guided tour: declare, forward over TLS, record, ask; every step is checked'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "eval" -d 'Try an expression of a rule or an instance: print its value and type, or what is wrong with it'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "api-resources" -d 'List the kinds of resources that can be declared'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "completion" -d 'Print a script that completes commands and flags in bash, zsh, fish, elvish or powershell'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "version" -d 'Print the version of this program'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and not __fish_seen_subcommand_from create apply replace get describe delete allow logs trace replay generate why validate analyze exec run proxy proxy-config proxy-status identity demo eval api-resources completion version help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from create" -f -a "namespace" -d 'Create a namespace'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from create" -f -a "serviceaccount" -d 'Create a service account'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from create" -f -a "token" -d 'Print a token for a service account'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from logs" -f -a "seal" -d 'Seal the newest entries into a Parquet file now, instead of when enough have gathered'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from logs" -f -a "prune" -d 'Remove old entries from the sealed log'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from logs" -f -a "verify" -d 'Check that nothing in the log was cut off, changed, taken out or put in another order'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from logs" -f -a "import" -d 'Take the entries of files into the log'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from logs" -f -a "stats" -d 'Count entries by time and by their fields: lines, or with --all --instance access calls'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from logs" -f -a "facets" -d 'Show the most frequent values of each field'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from logs" -f -a "export" -d 'Write entries into files for other tools'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from generate" -f -a "policy" -d 'The least policy that allows the recorded calls that went, and nothing else'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from proxy" -f -a "start" -d 'Run a proxy in the foreground: a sidecar for each --listen, and the egress gateway, in one process or two'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from proxy" -f -a "status" -d 'Show the proxies that run on this state directory'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from proxy" -f -a "metrics" -d 'Print a proxy\'s counters, and the metrics of its prometheus handlers, in Prometheus\' text form'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from proxy" -f -a "stop" -d 'Let a proxy finish its calls and end'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from identity" -f -a "show" -d 'Show the authorities that sign or are trusted'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from identity" -f -a "issue" -d 'Issue a certificate with a new key'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from identity" -f -a "rotate" -d 'Let a new root, or an authority of your own, take over'
complete -c egressctl -n "__fish_egressctl_using_subcommand help; and __fish_seen_subcommand_from identity" -f -a "export" -d 'Print the roots that are trusted, in PEM'
