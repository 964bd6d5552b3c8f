// From the lines of a log to the messages that carry them.
//
// Threads: any; a const object.
#pragma once

#include <string>

#include "publishers/log/line_splitter.h"

namespace weir {

class LineEncoder {
 public:
  // `file` is added to each message as "file"; empty for none. With `passes_json` a line that is a JSON object
  // is a message as it stands, except one that would end the channel: whoever writes a log may not.
  LineEncoder(const std::string& file, bool passes_json);

  std::string encode(const Line& line) const;
  // False if the line is a message as it stands: half of it would be none.
  bool can_be_cut(const Line& line) const;

 private:
  bool passes(const Line& line) const;

  std::string member_;  // ,"file":"…"
  bool passes_json_;
};

}  // namespace weir
