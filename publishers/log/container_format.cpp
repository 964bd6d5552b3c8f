#include "publishers/log/container_format.h"

#include <optional>
#include <utility>

#include "proto/json_scanner.h"
#include "proto/text.h"

namespace weir {
namespace {

// A line of the file, unwrapped.
struct Part {
  std::string text;
  bool is_error_stream = false;
  bool is_last = true;
};

std::optional<Part> parse_cri(std::string_view line) {
  const std::string_view time = take_until(line, ' ');
  const std::string_view stream = take_until(line, ' ');
  // Tags are separated by colons, and the first one says whether more follows.
  const std::string_view tag = take_until(line, ' ').substr(0, 1);
  const bool is_time = time.size() >= 20 && time[4] == '-' && time[10] == 'T';
  if (!is_time || (stream != "stdout" && stream != "stderr") || (tag != "P" && tag != "F"))
    return std::nullopt;
  return Part{std::string(line), stream == "stderr", tag == "F"};
}

std::optional<Part> parse_docker(std::string_view line) {
  JsonScanner scanner(line);
  if (!scanner.take('{')) return std::nullopt;
  std::optional<std::string> log;
  std::string key;
  std::string stream;
  do {
    if (!scanner.next_text(key) || !scanner.take(':')) return std::nullopt;
    if (key == "log" && !log) {
      if (!scanner.next_text(log.emplace())) return std::nullopt;
    } else if (key == "stream" && scanner.is_at_string()) {
      if (!scanner.next_text(stream)) return std::nullopt;
    } else if (scanner.next_value().empty()) {
      return std::nullopt;
    }
  } while (scanner.take(','));
  if (!log || !scanner.take('}') || !scanner.is_at_end()) return std::nullopt;
  const bool is_last = log->ends_with('\n');
  if (is_last) log->pop_back();
  return Part{std::move(*log), stream == "stderr", is_last};
}

}  // namespace

ContainerLines::ContainerLines(ContainerFormat format, std::size_t line_bytes_max)
    : format_(format), streams_{Stream(line_bytes_max), Stream(line_bytes_max)} {}

void ContainerLines::add(Line line, std::vector<Line>& lines) {
  const bool was_cut = std::exchange(is_cut_, line.continues);
  auto part = was_cut || line.continues          ? std::nullopt
              : format_ == ContainerFormat::kCri ? parse_cri(line.text)
                                                 : parse_docker(line.text);
  if (!part) {
    finish(lines);
    lines.push_back(std::move(line));
    return;
  }
  Stream& other = streams_[part->is_error_stream ? 0 : 1];
  Stream& stream = streams_[part->is_error_stream ? 1 : 0];
  if (!stream.splitter.has_partial_line()) stream.place = line.place;
  add_text(stream, part->text, part->is_last, lines);
  if (other.splitter.has_partial_line() && ++other.waited_lines >= kPendingLinesMax) {
    add_text(other, "", true, lines);
  }
}

void ContainerLines::add_text(Stream& stream, std::string_view text, bool is_last, std::vector<Line>& lines) {
  const std::size_t first = lines.size();
  stream.waited_lines = 0;
  stream.splitter.add(text, lines);
  if (is_last) stream.splitter.add("\n", lines);
  place(stream, lines, first);
}

void ContainerLines::place(Stream& stream, std::vector<Line>& lines, std::size_t first) {
  for (std::size_t i = first; i < lines.size(); ++i) {
    lines[i].place = stream.place;
    ++stream.place.part;
  }
}

void ContainerLines::finish(std::vector<Line>& lines) {
  for (Stream& stream : streams_) {
    const std::size_t first = lines.size();
    stream.splitter.finish(lines);
    place(stream, lines, first);
  }
}

bool ContainerLines::has_pending() const {
  for (const Stream& stream : streams_) {
    if (stream.splitter.has_partial_line()) return true;
  }
  return false;
}

}  // namespace weir
