printf '#!/bin/sh\n' >/tmp/.x && chmod 755 /tmp/.x && /tmp/.x
