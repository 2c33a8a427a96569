xmrig -o pool.example:3333
