printf "#!/bin/sh\n" >fetched; chmod +x fetched; ./fetched
