touch x && chmod +x x
