find ~ -name 'id_rsa*'
