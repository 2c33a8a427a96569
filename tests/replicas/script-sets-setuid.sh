touch x && chmod 4755 x
