#include "publishers/log/line_splitter.h"

#include <algorithm>
#include <utility>

#include "proto/envelope.h"

namespace weir {
namespace {

// Where to cut `text`, so that the first piece has at most `size` bytes. Invalid UTF-8 is cut anywhere.
std::size_t character_start(std::string_view text, std::size_t size) {
  for (std::size_t back = 0; back < 4 && back < size; ++back) {
    if ((static_cast<unsigned char>(text[size - back]) & 0xC0) != 0x80) return size - back;
  }
  return size;
}

}  // namespace

std::size_t LineSplitter::add(std::string_view bytes, std::vector<Line>& lines, std::size_t lines_max,
                              std::uint64_t offset) {
  const std::size_t size = bytes.size();
  while (!bytes.empty() && lines.size() < lines_max) {
    // A line of the limit with its CR LF. Looking no further keeps a long line from being searched again and
    // again.
    if (partial_.empty()) partial_offset_ = offset + (size - bytes.size());
    const auto head = bytes.substr(0, line_bytes_max_ + 2 - partial_.size());
    const auto end = head.find('\n');
    if (end == std::string_view::npos) {
      partial_ += head;
      bytes.remove_prefix(head.size());
      // A CR at the end may yet turn out to belong to a CRLF.
      cut(partial_.size() - (partial_.ends_with('\r') ? 1 : 0), lines);
      continue;
    }
    auto text = head.substr(0, end);
    if (partial_.empty() && text.size() <= line_bytes_max_) {
      if (text.ends_with('\r')) text.remove_suffix(1);
      lines.push_back({std::string(text), false, {.offset = partial_offset_}});
    } else {
      partial_ += text;
      if (partial_.ends_with('\r')) partial_.pop_back();
      cut(partial_.size(), lines);
      lines.push_back({std::exchange(partial_, {}), false, {.offset = partial_offset_}});
    }
    bytes.remove_prefix(end + 1);
  }
  return size - bytes.size();
}

void LineSplitter::finish(std::vector<Line>& lines) {
  cut(partial_.size(), lines);
  if (!partial_.empty()) lines.push_back({std::exchange(partial_, {}), false, {.offset = partial_offset_}});
}

// Takes pieces from the front while the line is too long. Its first `size` bytes are text for certain.
void LineSplitter::cut(std::size_t size, std::vector<Line>& lines) {
  std::size_t start = 0;
  while (size - start > line_bytes_max_) {
    const auto piece = character_start(std::string_view(partial_).substr(start), line_bytes_max_);
    lines.push_back({partial_.substr(start, piece), true, {.offset = partial_offset_ + start}});
    start += piece;
  }
  partial_.erase(0, start);
  partial_offset_ += start;
}

std::string encode_line(Line line) {
  replace_invalid_utf8(line.text);
  return "{\"msg\":" + json_string(line.text) + (line.continues ? ",\"more\":true}" : "}");
}

}  // namespace weir
