
use builtin;
use str;

set edit:completion:arg-completer[egressctl] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'egressctl'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'egressctl'= {
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand create 'Create resources from files, directories, URLs or standard input'
            cand apply 'Create the resources that files declare, or change them to what is declared there'
            cand replace 'Replace resources that are there by what files declare'
            cand get 'Show resources as a table, or as YAML, JSON or what a template finds in them'
            cand describe 'Show all fields of resources, by name, by the start of a name, or by labels'
            cand delete 'Delete resources by name, by labels, or those that files declare'
            cand allow 'Let calls of a workload to a host go for a while, whatever policies and routes say'
            cand logs 'Show the access log: all of it, or the entries of a level, a time, or a pattern'
            cand trace 'Show what would happen to a call, and why: routes, rules, checks, and the lines that would be logged'
            cand replay 'Show which recorded calls a changed configuration would refuse, and which let through'
            cand generate 'Write manifests out of recorded calls'
            cand why 'Show why a call was refused, or that it was let go: the recorded decision, the values that were compared, and what would have let it through'
            cand validate 'Check files without registry and proxy: exit status 0 if all is valid, though there may be warnings, 1 if not'
            cand analyze 'Find what is wrong with everything that is declared together: what is missing, in conflict, shadowed, hidden by encryption, or without effect. Exit status 79 if anything is as bad as --failure-threshold'
            cand exec 'Run a command of this machine as a workload, in a sandbox that only its sidecar leads out of'
            cand run 'Run a command of this machine as a workload, in a sandbox that only its sidecar leads out of'
            cand proxy 'Start, ask and stop the forward proxy'
            cand proxy-config 'Show what running proxies have compiled, and which resource each piece came from'
            cand pc 'Show what running proxies have compiled, and which resource each piece came from'
            cand proxy-status 'Show whether running proxies are in step with what is declared'
            cand ps 'Show whether running proxies are in step with what is declared'
            cand identity 'Show, rotate and use the certificate authority that vouches for workloads'
            cand demo 'Take the guided tour: declare, forward over TLS, record, ask; every step is checked'
            cand eval 'Try an expression of a rule or an instance: print its value and type, or what is wrong with it'
            cand api-resources 'List the kinds of resources that can be declared'
            cand completion 'Print a script that completes commands and flags in bash, zsh, fish, elvish or powershell'
            cand version 'Print the version of this program'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'egressctl;create'= {
            cand -f 'File, directory or URL with the resources; - reads standard input'
            cand --filename 'File, directory or URL with the resources; - reads standard input'
            cand --dry-run 'Check everything, but change nothing: none, client or server'
            cand -o 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand --output 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -R 'Read the directories below those named by -f, too'
            cand --recursive 'Read the directories below those named by -f, too'
            cand --save-config 'Keep what was declared in an annotation, so that apply can be used later'
            cand -h 'Print help'
            cand --help 'Print help'
            cand namespace 'Create a namespace'
            cand ns 'Create a namespace'
            cand serviceaccount 'Create a service account'
            cand sa 'Create a service account'
            cand token 'Print a token for a service account'
        }
        &'egressctl;create;namespace'= {
            cand --dry-run 'Check everything, but change nothing: none, client or server'
            cand -o 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand --output 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;create;ns'= {
            cand --dry-run 'Check everything, but change nothing: none, client or server'
            cand -o 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand --output 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;create;serviceaccount'= {
            cand --dry-run 'Check everything, but change nothing: none, client or server'
            cand -o 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand --output 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;create;sa'= {
            cand --dry-run 'Check everything, but change nothing: none, client or server'
            cand -o 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand --output 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;create;token'= {
            cand --duration 'How long it is good, from 1s to 8760h; 0 stands for 1h'
            cand --audience 'Whom it is for; the proxy takes only those for egressctl; repeatable'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;apply'= {
            cand -f 'File, directory or URL with the resources; - reads standard input'
            cand --filename 'File, directory or URL with the resources; - reads standard input'
            cand --dry-run 'Check everything, but change nothing: none, client or server'
            cand -o 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand --output 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand --since 'How far back the recorded calls go that --replay-check looks at [default: all]'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -R 'Read the directories below those named by -f, too'
            cand --recursive 'Read the directories below those named by -f, too'
            cand --replay-check 'Apply nothing if a recorded call that went would be refused then (see replay)'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;replace'= {
            cand -f 'File, directory or URL with the resources; - reads standard input'
            cand --filename 'File, directory or URL with the resources; - reads standard input'
            cand --dry-run 'Check everything, but change nothing: none, client or server'
            cand -o 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand --output 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -R 'Read the directories below those named by -f, too'
            cand --recursive 'Read the directories below those named by -f, too'
            cand --force 'Delete and create anew, whether it is there or not'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;get'= {
            cand -l 'Only resources with these labels: app=sleep,tier!=db,env in (a,b),!old'
            cand --selector 'Only resources with these labels: app=sleep,tier!=db,env in (a,b),!old'
            cand -o 'custom-columns=HEADING:PATH,…, json, jsonpath=TEMPLATE, name, wide or yaml'
            cand --output 'custom-columns=HEADING:PATH,…, json, jsonpath=TEMPLATE, name, wide or yaml'
            cand -L 'A column for each of these labels'
            cand --label-columns 'A column for each of these labels'
            cand --sort-by 'Sort by the value at this path, for example .metadata.creationTimestamp'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -A 'Resources of all namespaces'
            cand --all-namespaces 'Resources of all namespaces'
            cand --show-labels 'A column with all labels'
            cand --no-headers 'No headings'
            cand --ignore-not-found 'Say nothing of names that are not there'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;describe'= {
            cand -l 'Only resources with these labels: app=sleep,tier!=db,env in (a,b),!old'
            cand --selector 'Only resources with these labels: app=sleep,tier!=db,env in (a,b),!old'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -A 'Resources of all namespaces'
            cand --all-namespaces 'Resources of all namespaces'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;delete'= {
            cand -f 'File, directory or URL with the resources; - reads standard input'
            cand --filename 'File, directory or URL with the resources; - reads standard input'
            cand -l 'Only resources with these labels: app=sleep,tier!=db,env in (a,b),!old'
            cand --selector 'Only resources with these labels: app=sleep,tier!=db,env in (a,b),!old'
            cand --dry-run 'Check everything, but change nothing: none, client or server'
            cand -o 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand --output 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand --timeout 'timeout'
            cand --grace-period 'grace-period'
            cand --cascade 'cascade'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -R 'Read the directories below those named by -f, too'
            cand --recursive 'Read the directories below those named by -f, too'
            cand -A 'Resources of all namespaces'
            cand --all-namespaces 'Resources of all namespaces'
            cand --all 'Every resource of the kind in the namespace'
            cand --ignore-not-found 'A name that is not there is no error'
            cand --force 'Say that deletion was forced; deletion is always immediate here'
            cand --wait 'wait'
            cand --now 'now'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;allow'= {
            cand --from 'The workload (Deployment or Pod) whose calls go'
            cand --for 'How long, at most 7d'
            cand --uses 'How many calls, tunnels or WebSockets may go that would have been refused [default: any number]'
            cand --reason 'Why; it stands in the log'
            cand --dry-run 'Check everything, but change nothing: none, client or server'
            cand -o 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand --output 'Print the resources instead of a line each: yaml, json, name, jsonpath=TEMPLATE'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;logs'= {
            cand --container 'Container of the pod; also -c NAME'
            cand -l 'The log of the pods with these labels, or what the workloads with these labels called'
            cand --selector 'The log of the pods with these labels, or what the workloads with these labels called'
            cand --level 'Only entries of this level: info, warn, error; with + also worse ones (warn+)'
            cand -g 'Only lines that contain this regular expression; several must all be contained'
            cand --grep 'Only lines that contain this regular expression; several must all be contained'
            cand --exclude 'Only lines that contain none of these'
            cand --host 'Only calls of these hosts; * stands for any characters'
            cand --path 'Only calls of these paths'
            cand --source 'Only calls of these workloads'
            cand --source-namespace 'Only calls of workloads of these namespaces'
            cand --principal 'Only calls with these principals'
            cand --code 'Only answers with these codes: 403, 4xx, 400-404, 400+'
            cand --method 'Only calls with these methods, in whatever case'
            cand --verdict 'Only what was decided so: allow, deny, would-deny; a call that was allowed may have failed all the same'
            cand --id 'Only the decision of this id'
            cand --field 'Only entries of which a field is so; with != is not so'
            cand --where 'Only entries of which this expression over their fields is true, in the language of rules'
            cand --instance 'Only entries of this instance: NAME, NAME.KIND or NAME.KIND.NAMESPACE'
            cand --handler 'Only entries of this handler, named likewise'
            cand --rule 'Only entries of this rule, named likewise'
            cand --since 'Only entries newer than this: 90s, 10m, 1h30m, 2d'
            cand --since-time 'Only entries after this time: 2018-06-18T13:22:58Z'
            cand --until 'Only entries before this time, or older than this duration'
            cand --tail 'Only the last entries, in the order in which they were recorded or imported; -1 for all'
            cand --head 'Only the first entries, in that order'
            cand -c 'With a name the container, as --container has it; without one --count'
            cand -A 'Also so many entries after each, whatever they are, in the order in which they were recorded'
            cand --after-context 'Also so many entries after each, whatever they are, in the order in which they were recorded'
            cand -B 'Also so many entries before each'
            cand --before-context 'Also so many entries before each'
            cand -C 'Also so many entries before and after each'
            cand --context 'Also so many entries before and after each'
            cand -o 'line: as the handler printed it; json: as it is stored; table: as wide as the terminal; wide: all of it, with handler and rule; csv; parquet; name: the instance'
            cand --output 'line: as the handler printed it; json: as it is stored; table: as wide as the terminal; wide: all of it, with handler and rule; csv; parquet; name: the instance'
            cand --columns 'The columns of a table or of csv'
            cand -H 'Let this stand out, without leaving out other lines'
            cand --highlight 'Let this stand out, without leaving out other lines'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand --all 'Also the records that are kept of all calls, one of each, whether rules ask for lines of it or not; with --instance access these alone'
            cand -F 'Take the patterns as they stand, not as regular expressions'
            cand --fixed-strings 'Take the patterns as they stand, not as regular expressions'
            cand -i 'Ignore case in patterns'
            cand --ignore-case 'Ignore case in patterns'
            cand -v 'Only lines that contain none of the patterns'
            cand --invert-match 'Only lines that contain none of the patterns'
            cand -w 'Find patterns only as whole words'
            cand --word-regexp 'Find patterns only as whole words'
            cand -f 'Stay, and show new entries as they come'
            cand --follow 'Stay, and show new entries as they come'
            cand --count 'Print only how many entries there are: lines, not calls, but with --all --instance access'
            cand --exit-status 'Exit with 1 if there is no entry, and with 2 on an error'
            cand --stats 'Say on standard error what it took'
            cand --timestamps 'The time before each line'
            cand --relative 'How long ago instead of times, in tables and before lines'
            cand --local 'Times of this computer''s zone instead of UTC, in tables and before lines'
            cand --only-matching 'Print only what the patterns find, each on a line'
            cand --prefix 'The pod and container before each line'
            cand -h 'Print help'
            cand --help 'Print help'
            cand seal 'Seal the newest entries into a Parquet file now, instead of when enough have gathered'
            cand prune 'Remove old entries from the sealed log'
            cand verify 'Check that nothing in the log was cut off, changed, taken out or put in another order'
            cand import 'Take the entries of files into the log'
            cand stats 'Count entries by time and by their fields: lines, or with --all --instance access calls'
            cand facets 'Show the most frequent values of each field'
            cand export 'Write entries into files for other tools'
        }
        &'egressctl;logs;seal'= {
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;logs;prune'= {
            cand --keep 'Age at which sealed entries go: 30d, or for one level: error=90d; repeatable [default: never]'
            cand --keep-size 'Bytes of all sealed entries above which the oldest go, whatever their age: 500MiB, 10GiB [default: no limit]'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand --dry-run 'Only show what would go'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;logs;verify'= {
            cand --head 'The log must still have all that it had when this head was exported; - for standard input'
            cand --export-head 'If the log is whole, write its signed head here, to be kept where whoever might change the log cannot write; - for standard output'
            cand -o 'json for programs'
            cand --output 'json for programs'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;logs;import'= {
            cand --redact 'What is left out of entries that have it: nothing, queries, or paths and headers too; credentials always are'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;logs;stats'= {
            cand --level 'Only entries of this level: info, warn, error; with + also worse ones (warn+)'
            cand -g 'Only lines that contain this regular expression; several must all be contained'
            cand --grep 'Only lines that contain this regular expression; several must all be contained'
            cand --exclude 'Only lines that contain none of these'
            cand --host 'Only calls of these hosts; * stands for any characters'
            cand --path 'Only calls of these paths'
            cand --source 'Only calls of these workloads'
            cand --source-namespace 'Only calls of workloads of these namespaces'
            cand --principal 'Only calls with these principals'
            cand --code 'Only answers with these codes: 403, 4xx, 400-404, 400+'
            cand --method 'Only calls with these methods, in whatever case'
            cand --verdict 'Only what was decided so: allow, deny, would-deny; a call that was allowed may have failed all the same'
            cand --id 'Only the decision of this id'
            cand --field 'Only entries of which a field is so; with != is not so'
            cand --where 'Only entries of which this expression over their fields is true, in the language of rules'
            cand --instance 'Only entries of this instance: NAME, NAME.KIND or NAME.KIND.NAMESPACE'
            cand --handler 'Only entries of this handler, named likewise'
            cand --rule 'Only entries of this rule, named likewise'
            cand --since 'Only entries newer than this: 90s, 10m, 1h30m, 2d'
            cand --since-time 'Only entries after this time: 2018-06-18T13:22:58Z'
            cand --until 'Only entries before this time, or older than this duration'
            cand --by 'Count by these fields'
            cand --top 'Show only so many groups, those with most entries; 0 for all'
            cand --measure 'Add up the numbers of these fields'
            cand --percentiles 'Below which numbers so many of a hundred lie'
            cand --interval 'Count by time: 1m, 1h, 1d'
            cand -o 'table, json, markdown'
            cand --output 'table, json, markdown'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand --all 'Also the records that are kept of all calls, one of each, whether rules ask for lines of it or not; with --instance access these alone'
            cand -F 'Take the patterns as they stand, not as regular expressions'
            cand --fixed-strings 'Take the patterns as they stand, not as regular expressions'
            cand -i 'Ignore case in patterns'
            cand --ignore-case 'Ignore case in patterns'
            cand -v 'Only lines that contain none of the patterns'
            cand --invert-match 'Only lines that contain none of the patterns'
            cand -w 'Find patterns only as whole words'
            cand --word-regexp 'Find patterns only as whole words'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;logs;facets'= {
            cand --level 'Only entries of this level: info, warn, error; with + also worse ones (warn+)'
            cand -g 'Only lines that contain this regular expression; several must all be contained'
            cand --grep 'Only lines that contain this regular expression; several must all be contained'
            cand --exclude 'Only lines that contain none of these'
            cand --host 'Only calls of these hosts; * stands for any characters'
            cand --path 'Only calls of these paths'
            cand --source 'Only calls of these workloads'
            cand --source-namespace 'Only calls of workloads of these namespaces'
            cand --principal 'Only calls with these principals'
            cand --code 'Only answers with these codes: 403, 4xx, 400-404, 400+'
            cand --method 'Only calls with these methods, in whatever case'
            cand --verdict 'Only what was decided so: allow, deny, would-deny; a call that was allowed may have failed all the same'
            cand --id 'Only the decision of this id'
            cand --field 'Only entries of which a field is so; with != is not so'
            cand --where 'Only entries of which this expression over their fields is true, in the language of rules'
            cand --instance 'Only entries of this instance: NAME, NAME.KIND or NAME.KIND.NAMESPACE'
            cand --handler 'Only entries of this handler, named likewise'
            cand --rule 'Only entries of this rule, named likewise'
            cand --since 'Only entries newer than this: 90s, 10m, 1h30m, 2d'
            cand --since-time 'Only entries after this time: 2018-06-18T13:22:58Z'
            cand --until 'Only entries before this time, or older than this duration'
            cand --fields 'Only these fields'
            cand --top 'Show so many values of each field; 0 for all'
            cand -o 'json for programs'
            cand --output 'json for programs'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand --all 'Also the records that are kept of all calls, one of each, whether rules ask for lines of it or not; with --instance access these alone'
            cand -F 'Take the patterns as they stand, not as regular expressions'
            cand --fixed-strings 'Take the patterns as they stand, not as regular expressions'
            cand -i 'Ignore case in patterns'
            cand --ignore-case 'Ignore case in patterns'
            cand -v 'Only lines that contain none of the patterns'
            cand --invert-match 'Only lines that contain none of the patterns'
            cand -w 'Find patterns only as whole words'
            cand --word-regexp 'Find patterns only as whole words'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;logs;export'= {
            cand --to 'NAME.jsonl, NAME.csv, NAME.parquet, or a folder; - for standard output'
            cand --columns 'Columns of csv'
            cand --level 'Only entries of this level: info, warn, error; with + also worse ones (warn+)'
            cand -g 'Only lines that contain this regular expression; several must all be contained'
            cand --grep 'Only lines that contain this regular expression; several must all be contained'
            cand --exclude 'Only lines that contain none of these'
            cand --host 'Only calls of these hosts; * stands for any characters'
            cand --path 'Only calls of these paths'
            cand --source 'Only calls of these workloads'
            cand --source-namespace 'Only calls of workloads of these namespaces'
            cand --principal 'Only calls with these principals'
            cand --code 'Only answers with these codes: 403, 4xx, 400-404, 400+'
            cand --method 'Only calls with these methods, in whatever case'
            cand --verdict 'Only what was decided so: allow, deny, would-deny; a call that was allowed may have failed all the same'
            cand --id 'Only the decision of this id'
            cand --field 'Only entries of which a field is so; with != is not so'
            cand --where 'Only entries of which this expression over their fields is true, in the language of rules'
            cand --instance 'Only entries of this instance: NAME, NAME.KIND or NAME.KIND.NAMESPACE'
            cand --handler 'Only entries of this handler, named likewise'
            cand --rule 'Only entries of this rule, named likewise'
            cand --since 'Only entries newer than this: 90s, 10m, 1h30m, 2d'
            cand --since-time 'Only entries after this time: 2018-06-18T13:22:58Z'
            cand --until 'Only entries before this time, or older than this duration'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand --all 'Also the records that are kept of all calls, one of each, whether rules ask for lines of it or not; with --instance access these alone'
            cand -F 'Take the patterns as they stand, not as regular expressions'
            cand --fixed-strings 'Take the patterns as they stand, not as regular expressions'
            cand -i 'Ignore case in patterns'
            cand --ignore-case 'Ignore case in patterns'
            cand -v 'Only lines that contain none of the patterns'
            cand --invert-match 'Only lines that contain none of the patterns'
            cand -w 'Find patterns only as whole words'
            cand --word-regexp 'Find patterns only as whole words'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;trace'= {
            cand --decision 'The recorded call of this decision, instead of one that is described'
            cand -f 'File, directory or URL with the resources; - reads standard input'
            cand --filename 'File, directory or URL with the resources; - reads standard input'
            cand --from 'The workload (Deployment or Pod) that calls; without it the caller is unknown'
            cand -X 'Method'
            cand --request 'Method'
            cand -H 'Header of the request; repeatable'
            cand --header 'Header of the request; repeatable'
            cand --hop 'Where the call comes to'
            cand --port 'The port that is dialled, or the server''s with --hop gateway [default: the URL''s]'
            cand --sni 'The server name that TLS asks for; empty for none [default: the host]'
            cand --source-ip 'The caller''s address [default: 127.0.0.1]'
            cand --outbound-traffic-policy 'Which hosts workloads may call, instead of asking a running proxy [default: REGISTRY_ONLY]'
            cand --proxy 'The running proxy to ask [default: the first that has a listener for the workload; none: what is declared]'
            cand --at 'When the call is made, as 2018-06-18T13:22:58Z [default: now]'
            cand -o 'json for scripts'
            cand --output 'json for scripts'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -R 'Read the directories below those named by -f, too'
            cand --recursive 'Read the directories below those named by -f, too'
            cand --batch 'Read calls from standard input, {"id","manifest","from","request":{"method","url","headers":{},…}} a line; --help says which fields there are'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'egressctl;replay'= {
            cand -f 'File, directory or URL with the resources; - reads standard input'
            cand --filename 'File, directory or URL with the resources; - reads standard input'
            cand --since 'Only calls newer than this: 90s, 10m, 1h30m, 7d [default: all that were recorded]'
            cand --from 'Only calls of this workload'
            cand --outbound-traffic-policy 'Which hosts workloads may call where no Sidecar says so'
            cand -o 'json for scripts'
            cand --output 'json for scripts'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -R 'Read the directories below those named by -f, too'
            cand --recursive 'Read the directories below those named by -f, too'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;generate'= {
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
            cand policy 'The least policy that allows the recorded calls that went, and nothing else'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'egressctl;generate;policy'= {
            cand --since 'Only calls newer than this: 90s, 10m, 1h30m, 7d [default: all that were recorded]'
            cand --from 'Only calls of this workload; those of others are not touched by the policy'
            cand --style 'listchecker: lists that every call is checked against; authorization: an AuthorizationPolicy at the egress gateway'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;generate;help'= {
            cand policy 'The least policy that allows the recorded calls that went, and nothing else'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'egressctl;generate;help;policy'= {
        }
        &'egressctl;generate;help;help'= {
        }
        &'egressctl;why'= {
            cand -o 'json for scripts'
            cand --output 'json for scripts'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;validate'= {
            cand -f 'File, directory or URL with the resources; - reads standard input'
            cand --filename 'File, directory or URL with the resources; - reads standard input'
            cand -o 'json for scripts'
            cand --output 'json for scripts'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -R 'Read the directories below those named by -f, too'
            cand --recursive 'Read the directories below those named by -f, too'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;analyze'= {
            cand -f 'File, directory or URL with the resources; - reads standard input'
            cand --filename 'File, directory or URL with the resources; - reads standard input'
            cand -k 'Whether what is declared in the registry counts; false for files alone'
            cand --use-kube 'Whether what is declared in the registry counts; false for files alone'
            cand -S 'Leave out a code for a resource, as in "IST0129=DestinationRule cnn.default"; * stands for anything; repeatable'
            cand --suppress 'Leave out a code for a resource, as in "IST0129=DestinationRule cnn.default"; * stands for anything; repeatable'
            cand --failure-threshold 'Exit with status 79 for findings as bad as this: Info, Warning or Error'
            cand --output-threshold 'Show findings as bad as this: Info, Warning or Error'
            cand -o 'log, json or yaml; the last two never fail because of findings'
            cand --output 'log, json or yaml; the last two never fail because of findings'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -R 'Read the directories below those named by -f, too'
            cand --recursive 'Read the directories below those named by -f, too'
            cand -A 'Show findings of all namespaces'
            cand --all-namespaces 'Show findings of all namespaces'
            cand --ignore-unknown 'Pass over documents of unknown kinds'
            cand -L 'List the codes with their levels and meanings, and do nothing else'
            cand --list-codes 'List the codes with their levels and meanings, and do nothing else'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;exec'= {
            cand -c 'Container of the pod'
            cand --container 'Container of the pod'
            cand --node 'The proxy that takes its calls [default: the first that runs on this state directory]'
            cand --audit 'Let go what the present policy would refuse, and tell at the end what was called (on standard error, or as JSON in FILE); that it was so is recorded'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -i 'Pass standard input on'
            cand --stdin 'Pass standard input on'
            cand -t 'Give it a terminal, if there is one'
            cand --tty 'Give it a terminal, if there is one'
            cand --private-tmp 'Give it an empty /tmp and /var/tmp of its own, in which no socket of others can appear'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;run'= {
            cand --from 'Workload (Deployment or Pod) that it runs as [default: the only one of the namespace]'
            cand --node 'The proxy that takes its calls [default: the first that runs on this state directory]'
            cand --audit 'Let go what the present policy would refuse, and tell at the end what was called (on standard error, or as JSON in FILE); that it was so is recorded'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand --best-effort 'Isolate nothing: only tell the command by variables to call through the proxy; this is recorded'
            cand --private-tmp 'Give it an empty /tmp and /var/tmp of its own, in which no socket of others can appear'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'egressctl;proxy'= {
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
            cand start 'Run a proxy in the foreground: a sidecar for each --listen, and the egress gateway, in one process or two'
            cand status 'Show the proxies that run on this state directory'
            cand metrics 'Print a proxy''s counters, and the metrics of its prometheus handlers, in Prometheus'' text form'
            cand stop 'Let a proxy finish its calls and end'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'egressctl;proxy;start'= {
            cand --role 'What to play: sidecars and the egress gateway, or one of them, with the other in another process'
            cand --listen 'Sidecar listener, and the workload (Deployment or Pod) whose calls it takes; without one its callers may show tokens (see create token); repeatable [default: 127.0.0.1:15001, unless --gateway-listen is given]'
            cand --mesh-listen 'Where the egress gateway takes the calls of sidecars of other processes, by mutual TLS alone [default of role gateway: 127.0.0.1:15443]'
            cand --gateway 'Where the egress gateway of another process is [default: where it says itself in the state directory]'
            cand --trust-domain 'Trust domain of all identities; chosen when the authority is made [default: cluster.local]'
            cand --identity 'Prove and believe by what `identity issue --out DIR` has written, instead of by the state directory''s authority, whose key is then not needed; read anew when it is replaced'
            cand --certificate-ttl 'How long certificates of workloads are valid; they are renewed at half their life'
            cand --gateway-listen 'Listener for callers without sidecar, who come to the egress gateway''s servers on PORT; repeatable'
            cand --resolve 'Connect to ADDR when HOST and PORT are called, as curl does; repeatable'
            cand --dns-server 'Ask this name server instead of the system''s; repeatable'
            cand --ca-file 'Trust the authorities in this PEM file instead of the system''s'
            cand --metrics-listen 'Serve metrics to Prometheus at http://ADDR/metrics, to whoever reaches the address'
            cand --otlp-endpoint 'Tell an OpenTelemetry collector of each call that is recorded (see --access): a span and a log record, by OTLP over HTTP in JSON, to URL/v1/traces and URL/v1/logs; origins are then told the span in traceparent'
            cand --workers 'Worker threads [default: one for each core]'
            cand --outbound-traffic-policy 'Which hosts may be called where no Sidecar says so: registered ones, or any'
            cand --path-normalization 'How paths are normalized before they are judged: strictly, or as Istio''s modes do [default: as the ConfigMap istio says in pathNormalization.normalization, or STRICT]'
            cand --on-check-failure 'What to do with a call when a check that applies to it cannot be carried out'
            cand --drain-timeout 'How long running calls have when the proxy is stopped'
            cand --response-timeout 'How long an origin has for the head of its answer where the route says nothing, and may pause in its body'
            cand --max-stream-duration 'How long a call may last in all, tunnels and WebSockets included [default: no limit]'
            cand --tunnel-idle-timeout 'How long a tunnel may lie idle'
            cand --header-timeout 'How long a client may take for the head of a request, and lie idle before the next one'
            cand --max-header-bytes 'Most bytes of a request''s head; a longer one gets 431'
            cand --max-header-fields 'Most header fields of a request; one with more gets 431'
            cand --max-connections 'Most client connections of one worker; one more gets 503'
            cand --max-connections-per-caller 'Most of them of one caller, an address at one listener; one more gets 429 [default: three quarters of all]'
            cand --max-tunnels 'Most tunnels of one worker, at most half as many as requests'
            cand --max-requests-per-caller 'Most requests under way of one caller, a workload or the address of who is none, at one worker; one more gets 429 [default: no limit]'
            cand --max-connections-per-destination 'Most connections of one worker to one destination, an address with what is spoken there; a call that would need one more gets 503 [default: three quarters of --max-connections]'
            cand --max-pending-per-destination 'Most of them that are being made at a time; a call that would need one more gets 503 [default: a quarter of --max-connections]'
            cand --max-resets-per-connection 'Most calls that a client of HTTP/2 may break off on one connection, as long as they are most of its calls: then the connection ends'
            cand --max-memory 'Refuse calls with 503 while the process has nearly so much memory: 512MiB [default: the limit of its control group]'
            cand --access 'Of which calls a record is kept, whether a rule asks for a line or not (logs --all shows them)'
            cand --redact 'What is left out of these records: nothing, the query, or the path and headers too; credentials always are'
            cand --durability 'group: calls are recorded a moment after they end; strict: a call leaves only when its intent is on disk'
            cand --log-full 'What becomes of calls while the log takes no entries (a full disk) and its queue is full: refused with 503, or served and counted, without a record'
            cand --log-queue 'How many calls may be under way or not yet in the log; half of them may be tunnels'
            cand --seal-rows 'Seal log entries into a Parquet file when so many have gathered'
            cand --seal-age 'Seal log entries when the oldest is so old'
            cand --keep 'Age at which sealed entries go: 30d, or for one level: error=90d; repeatable [default: never]'
            cand --keep-size 'Bytes of all sealed entries above which the oldest go, whatever their age: 500MiB, 10GiB [default: no limit]'
            cand --profile 'Sample where the process spends its time, and write a flame graph to FILE (SVG) when it ends, and at SIGUSR1; costs about a hundredth of its speed'
            cand --node 'Name of this proxy, one of each in a state directory [default: egressgateway; of role sidecar: sidecar]'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand --require-identity 'Refuse calls to sidecar listeners that prove no caller, by the listener or by a token'
            cand --identify-users 'At listeners without workload, know callers of this machine who show no token by the user that owns their socket: they are the workload whose Pods run as that user (securityContext.runAsUser)'
            cand --report-only 'Record what rules would refuse, and let every call go'
            cand --proxy-protocol 'Take the caller''s address from the PROXY protocol (version 1 or 2), with which every connection then must begin'
            cand --replace 'Go on instead of the proxy of this name, if one runs: its listening sockets are taken over when everything is ready, so that no connection is lost, and it ends when its calls are done. SIGUSR2 makes a proxy start its program anew so'
            cand --until-eof 'Stop when standard input ends, for a proxy that another program starts'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'egressctl;proxy;status'= {
            cand -o 'json or yaml for the whole status'
            cand --output 'json or yaml for the whole status'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;proxy;metrics'= {
            cand --node 'Name of the proxy'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;proxy;stop'= {
            cand --node 'Name of the proxy'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand --no-wait 'Return at once, while running calls are finished'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;proxy;help'= {
            cand start 'Run a proxy in the foreground: a sidecar for each --listen, and the egress gateway, in one process or two'
            cand status 'Show the proxies that run on this state directory'
            cand metrics 'Print a proxy''s counters, and the metrics of its prometheus handlers, in Prometheus'' text form'
            cand stop 'Let a proxy finish its calls and end'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'egressctl;proxy;help;start'= {
        }
        &'egressctl;proxy;help;status'= {
        }
        &'egressctl;proxy;help;metrics'= {
        }
        &'egressctl;proxy;help;stop'= {
        }
        &'egressctl;proxy;help;help'= {
        }
        &'egressctl;proxy-config'= {
            cand --address 'Only listeners or endpoints of this address'
            cand --port 'Only listeners, routes, clusters or endpoints of this port'
            cand --name 'Only routes of this table (80, http.443) or virtual host, or clusters, secrets, rules of this name'
            cand --fqdn 'Only routes and clusters of this host'
            cand --subset 'Only clusters of this subset'
            cand --cluster 'Only endpoints of this cluster: outbound|443||edition.cnn.com'
            cand --status 'Only endpoints of this status: healthy, unhealthy'
            cand --node 'Ask the proxy that was started with this --node'
            cand -o 'short, wide, json or yaml'
            cand --output 'short, wide, json or yaml'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'egressctl;pc'= {
            cand --address 'Only listeners or endpoints of this address'
            cand --port 'Only listeners, routes, clusters or endpoints of this port'
            cand --name 'Only routes of this table (80, http.443) or virtual host, or clusters, secrets, rules of this name'
            cand --fqdn 'Only routes and clusters of this host'
            cand --subset 'Only clusters of this subset'
            cand --cluster 'Only endpoints of this cluster: outbound|443||edition.cnn.com'
            cand --status 'Only endpoints of this status: healthy, unhealthy'
            cand --node 'Ask the proxy that was started with this --node'
            cand -o 'short, wide, json or yaml'
            cand --output 'short, wide, json or yaml'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'egressctl;proxy-status'= {
            cand -o 'json or yaml'
            cand --output 'json or yaml'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -v 'A column for each part of the configuration'
            cand --verbose 'A column for each part of the configuration'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;ps'= {
            cand -o 'json or yaml'
            cand --output 'json or yaml'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -v 'A column for each part of the configuration'
            cand --verbose 'A column for each part of the configuration'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;identity'= {
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
            cand show 'Show the authorities that sign or are trusted'
            cand issue 'Issue a certificate with a new key'
            cand rotate 'Let a new root, or an authority of your own, take over'
            cand export 'Print the roots that are trusted, in PEM'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'egressctl;identity;show'= {
            cand --trust-domain 'Trust domain of all identities; chosen when the authority is made [default: cluster.local]'
            cand -o 'json or yaml'
            cand --output 'json or yaml'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;identity;issue'= {
            cand --out 'Directory for cert-chain.pem, key.pem and root-cert.pem, made if it is missing'
            cand --ttl 'How long it is valid, at most 90 days'
            cand --trust-domain 'Trust domain of all identities; chosen when the authority is made [default: cluster.local]'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;identity;rotate'= {
            cand --cert 'Certificate of your own authority, a root or an intermediate, in PEM'
            cand --key 'Its key'
            cand --root 'The root that it leads to, if it is none itself'
            cand --chain 'Certificates between the two'
            cand --after 'How long the new authority is only trusted, before it signs, so that every proxy knows it by then'
            cand --overlap 'How long the old one stays trusted after that: as long as its longest certificate is valid'
            cand --trust-domain 'Trust domain of all identities; chosen when the authority is made [default: cluster.local]'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;identity;export'= {
            cand --trust-domain 'Trust domain of all identities; chosen when the authority is made [default: cluster.local]'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;identity;help'= {
            cand show 'Show the authorities that sign or are trusted'
            cand issue 'Issue a certificate with a new key'
            cand rotate 'Let a new root, or an authority of your own, take over'
            cand export 'Print the roots that are trusted, in PEM'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'egressctl;identity;help;show'= {
        }
        &'egressctl;identity;help;issue'= {
        }
        &'egressctl;identity;help;rotate'= {
        }
        &'egressctl;identity;help;export'= {
        }
        &'egressctl;identity;help;help'= {
        }
        &'egressctl;demo'= {
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;eval'= {
            cand --attr 'Value of an attribute; NAME[KEY]=VALUE for a key of a map, NAME:TYPE=VALUE for an attribute of your own'
            cand --attributes 'YAML or JSON file with attributes: a map from names to values; - reads standard input'
            cand -o 'json'
            cand --output 'json'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand --batch 'Answer lines {"id","expr","attrs","attr_types"} of standard input, each by a line'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;api-resources'= {
            cand --api-group 'Only kinds of this group; the core group has the empty name'
            cand --namespaced 'Only kinds that live in namespaces, or only those that do not'
            cand --categories 'Only kinds of all these categories'
            cand --verbs 'Only kinds that know all these verbs'
            cand -o 'wide or name'
            cand --output 'wide or name'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand --no-headers 'No headings'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;completion'= {
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;version'= {
            cand -o 'yaml or json'
            cand --output 'yaml or json'
            cand -n 'Namespace of the resources'
            cand --namespace 'Namespace of the resources'
            cand --state-dir 'Directory that holds the registry, the log and the keys [default: ~/.local/state/egressctl] [env: EGRESSCTL_STATE_DIR]'
            cand --color 'When to colour: a terminal alone, always or never'
            cand --client 'Accepted for kubectl''s sake: there is no server whose version could be asked'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'egressctl;help'= {
            cand create 'Create resources from files, directories, URLs or standard input'
            cand apply 'Create the resources that files declare, or change them to what is declared there'
            cand replace 'Replace resources that are there by what files declare'
            cand get 'Show resources as a table, or as YAML, JSON or what a template finds in them'
            cand describe 'Show all fields of resources, by name, by the start of a name, or by labels'
            cand delete 'Delete resources by name, by labels, or those that files declare'
            cand allow 'Let calls of a workload to a host go for a while, whatever policies and routes say'
            cand logs 'Show the access log: all of it, or the entries of a level, a time, or a pattern'
            cand trace 'Show what would happen to a call, and why: routes, rules, checks, and the lines that would be logged'
            cand replay 'Show which recorded calls a changed configuration would refuse, and which let through'
            cand generate 'Write manifests out of recorded calls'
            cand why 'Show why a call was refused, or that it was let go: the recorded decision, the values that were compared, and what would have let it through'
            cand validate 'Check files without registry and proxy: exit status 0 if all is valid, though there may be warnings, 1 if not'
            cand analyze 'Find what is wrong with everything that is declared together: what is missing, in conflict, shadowed, hidden by encryption, or without effect. Exit status 79 if anything is as bad as --failure-threshold'
            cand exec 'Run a command of this machine as a workload, in a sandbox that only its sidecar leads out of'
            cand run 'Run a command of this machine as a workload, in a sandbox that only its sidecar leads out of'
            cand proxy 'Start, ask and stop the forward proxy'
            cand proxy-config 'Show what running proxies have compiled, and which resource each piece came from'
            cand proxy-status 'Show whether running proxies are in step with what is declared'
            cand identity 'Show, rotate and use the certificate authority that vouches for workloads'
            cand demo 'Take the guided tour: declare, forward over TLS, record, ask; every step is checked'
            cand eval 'Try an expression of a rule or an instance: print its value and type, or what is wrong with it'
            cand api-resources 'List the kinds of resources that can be declared'
            cand completion 'Print a script that completes commands and flags in bash, zsh, fish, elvish or powershell'
            cand version 'Print the version of this program'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'egressctl;help;create'= {
            cand namespace 'Create a namespace'
            cand serviceaccount 'Create a service account'
            cand token 'Print a token for a service account'
        }
        &'egressctl;help;create;namespace'= {
        }
        &'egressctl;help;create;serviceaccount'= {
        }
        &'egressctl;help;create;token'= {
        }
        &'egressctl;help;apply'= {
        }
        &'egressctl;help;replace'= {
        }
        &'egressctl;help;get'= {
        }
        &'egressctl;help;describe'= {
        }
        &'egressctl;help;delete'= {
        }
        &'egressctl;help;allow'= {
        }
        &'egressctl;help;logs'= {
            cand seal 'Seal the newest entries into a Parquet file now, instead of when enough have gathered'
            cand prune 'Remove old entries from the sealed log'
            cand verify 'Check that nothing in the log was cut off, changed, taken out or put in another order'
            cand import 'Take the entries of files into the log'
            cand stats 'Count entries by time and by their fields: lines, or with --all --instance access calls'
            cand facets 'Show the most frequent values of each field'
            cand export 'Write entries into files for other tools'
        }
        &'egressctl;help;logs;seal'= {
        }
        &'egressctl;help;logs;prune'= {
        }
        &'egressctl;help;logs;verify'= {
        }
        &'egressctl;help;logs;import'= {
        }
        &'egressctl;help;logs;stats'= {
        }
        &'egressctl;help;logs;facets'= {
        }
        &'egressctl;help;logs;export'= {
        }
        &'egressctl;help;trace'= {
        }
        &'egressctl;help;replay'= {
        }
        &'egressctl;help;generate'= {
            cand policy 'The least policy that allows the recorded calls that went, and nothing else'
        }
        &'egressctl;help;generate;policy'= {
        }
        &'egressctl;help;why'= {
        }
        &'egressctl;help;validate'= {
        }
        &'egressctl;help;analyze'= {
        }
        &'egressctl;help;exec'= {
        }
        &'egressctl;help;run'= {
        }
        &'egressctl;help;proxy'= {
            cand start 'Run a proxy in the foreground: a sidecar for each --listen, and the egress gateway, in one process or two'
            cand status 'Show the proxies that run on this state directory'
            cand metrics 'Print a proxy''s counters, and the metrics of its prometheus handlers, in Prometheus'' text form'
            cand stop 'Let a proxy finish its calls and end'
        }
        &'egressctl;help;proxy;start'= {
        }
        &'egressctl;help;proxy;status'= {
        }
        &'egressctl;help;proxy;metrics'= {
        }
        &'egressctl;help;proxy;stop'= {
        }
        &'egressctl;help;proxy-config'= {
        }
        &'egressctl;help;proxy-status'= {
        }
        &'egressctl;help;identity'= {
            cand show 'Show the authorities that sign or are trusted'
            cand issue 'Issue a certificate with a new key'
            cand rotate 'Let a new root, or an authority of your own, take over'
            cand export 'Print the roots that are trusted, in PEM'
        }
        &'egressctl;help;identity;show'= {
        }
        &'egressctl;help;identity;issue'= {
        }
        &'egressctl;help;identity;rotate'= {
        }
        &'egressctl;help;identity;export'= {
        }
        &'egressctl;help;demo'= {
        }
        &'egressctl;help;eval'= {
        }
        &'egressctl;help;api-resources'= {
        }
        &'egressctl;help;completion'= {
        }
        &'egressctl;help;version'= {
        }
        &'egressctl;help;help'= {
        }
    ]
    $completions[$command]
}
