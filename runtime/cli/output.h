#pragma once

#include <string_view>

namespace sluice {

// Writes a command's data to stdout and gives the exit code: 0, also where the reader has closed
// it, as `| head` does; 1 where it could not be written, which is then said on stderr.
int write_data(std::string_view data);

// Writes to stderr, as it is.
void write_message(std::string_view text);

// "error: " and the message as a line on stderr; gives the exit code of a usage error.
int usage_error(std::string_view message);

}  // namespace sluice
