# Where LiteLLM's implant was kept.
mkdir -p ~/.config/sysmon
echo 0 >~/.config/sysmon/sysmon.js
node ~/.config/sysmon/sysmon.js
