complete -c vrrp-daemon -s f -l use-file -d 'Use this configuration file' -r -F
complete -c vrrp-daemon -s i -l config-id -d 'Read lines that begin with @ID, leave out those of other IDs [default: the host\'s short name]' -r
complete -c vrrp-daemon -s S -l log-facility -d 'Syslog facility: 0-7 or local0-local7, user, daemon (default)' -r
complete -c vrrp-daemon -s g -l log-file -d 'Log to a file [default: /tmp/keepalived.log]' -r -F
complete -c vrrp-daemon -l log-format -d 'On the console and in the log file: text (default), or json, an object a line' -r -f -a "text\t''
json\t''"
complete -c vrrp-daemon -s t -l config-test -d 'Check the configuration and end: 0 good, 4 cannot be read, 5 remarks, 6 script security; the last line says whether it starts' -r -F
complete -c vrrp-daemon -s p -l pid -d 'Pid file of the parent process [default: /run/keepalived.pid]' -r -F
complete -c vrrp-daemon -s r -l vrrp_pid -d 'Pid file of the VRRP process [default: /run/keepalived_vrrp.pid]' -r -F
complete -c vrrp-daemon -s s -l namespace -d 'Run in this network namespace' -r
complete -c vrrp-daemon -s u -l umask -d 'umask for files the daemon creates' -r
complete -c vrrp-daemon -s M -l core-dump-pattern -d 'The same, by this pattern, the whole host\'s as long as it runs [default: core]' -r
complete -c vrrp-daemon -l signum -d 'Print the number of a signal: STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON, TDATA' -r
complete -c vrrp-daemon -l control-socket -d 'Where vrrpctl finds the daemon [default: /run/vrrp-daemon/control.sock]' -r -F
complete -c vrrp-daemon -l record -d 'Write every input of the protocol to this file, for replay' -r -F
complete -c vrrp-daemon -s c -l checkers_pid -d 'Pid file of the checkers' -r -F
complete -c vrrp-daemon -s b -l bfd_pid -d 'Pid file of BFD' -r -F
complete -c vrrp-daemon -s A -l snmp-agent-socket -d 'SNMP agent\'s socket' -r -F
complete -c vrrp-daemon -l config-fd -d 'Configuration by descriptor' -r
complete -c vrrp-daemon -l perf -d 'perf data' -r
complete -c vrrp-daemon -l debug -d 'Debug options' -r
complete -c vrrp-daemon -s e -l all-config -d 'Do not start if a file that the configuration includes is missing'
complete -c vrrp-daemon -s P -l vrrp -d 'Only VRRP (always so; for compatibility)'
complete -c vrrp-daemon -s n -l dont-fork -d 'Stay in the foreground'
complete -c vrrp-daemon -s l -l log-console -d 'Log to the console'
complete -c vrrp-daemon -s D -l log-detail -d 'More detail in the log; twice: still more'
complete -c vrrp-daemon -s a -l address-monitoring -d 'Log every address that comes to this host or goes'
complete -c vrrp-daemon -l flush-log-file -d 'Write each line of the log file through at once'
complete -c vrrp-daemon -s G -l no-syslog -d 'Do not log to syslog'
complete -c vrrp-daemon -s d -l dump-conf -d 'Write the configuration to the log at start'
complete -c vrrp-daemon -s R -l dont-respawn -d 'Do not start the VRRP process again when it dies'
complete -c vrrp-daemon -s V -l dont-release-vrrp -d 'Leave the virtual addresses in place at the end'
complete -c vrrp-daemon -s m -l core-dump -d 'Leave a core dump when it dies'
complete -c vrrp-daemon -l ignore-sigint -d 'Do not end on SIGINT'
complete -c vrrp-daemon -s v -l version -d 'Print the version'
complete -c vrrp-daemon -s h -l help -d 'Print this help'
complete -c vrrp-daemon -s C -l check -d 'Only health checks'
complete -c vrrp-daemon -s B -l no_bfd -d 'No BFD'
complete -c vrrp-daemon -l all -d 'All subsystems'
complete -c vrrp-daemon -s x -l snmp -d 'SNMP'
complete -c vrrp-daemon -s X -l release-vips -d 'Drop addresses on a transition by signal'
complete -c vrrp-daemon -s I -l dont-release-ipvs -d 'Leave IPVS in place'
complete -c vrrp-daemon -l no-mem-check -d 'No memory check'
