ss -tn
