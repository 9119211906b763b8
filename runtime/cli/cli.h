#pragma once

namespace sluice {

// The commands of the program `sluice`, for a program of one's own with nodes of one's own:
//
//   int main(int argc, char** argv) { return sluice::cli_main(argc, argv); }
//
// Gives the exit code: 0 all delivered; 1 the run failed; 2 it could not start: usage,
// configuration, and every problem that `check` finds; 3 finished with rejected items; 130 and 143
// interrupted. Data goes to stdout, everything else to stderr. While `run` works it handles SIGINT
// and SIGTERM: the first drains, the second aborts. Blocks until the command is done. Call it once,
// from main.
int cli_main(int argc, char** argv);

}  // namespace sluice
