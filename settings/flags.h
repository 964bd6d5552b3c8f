// Splits the command line into flags and their texts, which are not interpreted yet. Uses CLI11.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "proto/result.h"

namespace weir {

struct FlagRow {
  std::string name;
  bool takes_value = true;
  bool is_positional = false;  // May be given without its flag as well.
  bool is_list = false;        // A positional that takes all arguments without a flag.
};

struct Flags {
  std::map<std::string, std::vector<std::string>> values;  // By name; in the order given.
  bool wants_help = false;                                 // --help, -h
  bool wants_version = false;                              // --version
};

// `argv[0]` is the program's name. Errors repeat the name of a flag but never a value, which
// could be a password.
Result<Flags> parse_flags(const std::vector<FlagRow>& rows, int argc, const char* const* argv);

}  // namespace weir
