require("fs").writeFileSync("/home/runner/app/.github/workflows/x.yml", "# nothing\n");
