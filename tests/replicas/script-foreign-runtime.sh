bun run bun_environment.js
