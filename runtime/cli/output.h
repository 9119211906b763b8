#pragma once

#include <string_view>

namespace sluice {

// Gives the descriptors 0 to 2 that the program was started without to /dev/null, so that no file
// opened later takes the place of stdout, and is written over. Each is open the wrong way round:
// using it fails as if it were closed. Call it before anything opens a file.
void hold_closed_descriptors();

// Writes a command's data to stdout and gives the exit code: 0, also where the reader has closed
// it, as `| head` does; 1 where it could not be written, which is then said on stderr.
int write_data(std::string_view data);

// Writes to stderr, as it is.
void write_message(std::string_view text);

// "error: " and the message as a line on stderr; gives the exit code of a usage error.
int usage_error(std::string_view message);

}  // namespace sluice
