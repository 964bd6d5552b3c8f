// What stands between the lines of a file and the lines that are published: a container runtime wraps each
// line of a program in one of its own.
//
// Threads: one.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "publishers/log/line_splitter.h"

namespace weir {

// One file's decoder. Keeps a line of the program that came in parts until its last part.
class LineFormat {
 public:
  virtual ~LineFormat() = default;
  // Takes the next line of the file and appends the lines that are complete now.
  virtual void add(Line line, std::vector<Line>& lines) = 0;
  // Call it at the end of the file: appends what still waits for its last part.
  virtual void finish(std::vector<Line>& lines) = 0;
  // True while a line waits for its last part. Where reading goes on after a restart must lie before it.
  virtual bool has_pending() const = 0;
};

// Makes a decoder for each file. Empty: lines are published as they stand in the file.
using MakeLineFormat = std::function<std::unique_ptr<LineFormat>()>;

}  // namespace weir
