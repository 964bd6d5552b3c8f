// The log files of container runtimes, unwrapped.
//
// Threads: one.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "publishers/log/line_format.h"

namespace weir {

enum class ContainerFormat {
  // "2016-10-06T00:17:09.669794202Z stdout F text": the log format of Kubernetes' CRI (kubelet,
  // pkg/kubelet/kuberuntime/logs: time, stream, tags, text). The tag P marks a part, F the last one.
  kCri,
  // {"log":"text\n","stream":"stdout","time":"…"}: Docker's json-file. A part has no LF.
  kDocker,
};

// Puts the parts of a line together, each stream for itself. A line that is not in the format is published as
// it is, after what waits.
//
// Limits: lines of more than `line_bytes_max` bytes come in pieces. A part that waits while kPendingLinesMax
//         other lines come is published as a line: its last part will not come any more.
class ContainerLines : public LineFormat {
 public:
  static constexpr std::size_t kPendingLinesMax = 400;
  // Both runtimes cut at 16 KiB of text, and JSON may need six bytes for one. A reader should not cut lines
  // shorter than this.
  static constexpr std::size_t kWrappedBytesMax = 128 << 10;

  ContainerLines(ContainerFormat format, std::size_t line_bytes_max);

  void add(Line line, std::vector<Line>& lines) override;
  void finish(std::vector<Line>& lines) override;
  bool has_pending() const override;

 private:
  // One stream of the program: its standard output or its standard error.
  struct Stream {
    explicit Stream(std::size_t line_bytes_max) : splitter(line_bytes_max) {}
    LineSplitter splitter;
    std::size_t waited_lines = 0;  // Lines since its last part.
    LinePlace place = {};          // Of the next line.
  };

  static void add_text(Stream& stream, std::string_view text, bool is_last, std::vector<Line>& lines);
  // Gives the lines from `first` on, which are all of the stream, their places.
  static void place(Stream& stream, std::vector<Line>& lines, std::size_t first);

  const ContainerFormat format_;
  std::array<Stream, 2> streams_;
  bool is_cut_ = false;  // The last line of the file was a piece: what follows belongs to it.
};

}  // namespace weir
