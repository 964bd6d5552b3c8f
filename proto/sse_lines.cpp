#include "proto/sse_lines.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "proto/eight_bytes.h"

namespace weir {
namespace {

bool is_line_end(char c) { return c == '\n' || c == '\r'; }

// Copies the line at `at`; returns its end. Copies eight bytes at a time, so up to seven after
// the copy are overwritten.
const char* copy_line(const char* at, const char* end, char*& out) {
  while (end - at >= 8) {
    if (is_line_end(*at)) return at;
    const EightBytes word = load_eight(at);
    const std::size_t copied = bytes_before(first_equal(word, '\n') | first_equal(word, '\r'));
    copy_eight(out, at);
    at += copied;
    out += copied;
    if (copied < 8) return at;
  }
  while (at < end && !is_line_end(*at)) *out++ = *at++;
  return at;
}

}  // namespace

Lines count_lines(std::string_view data) {
  // Most texts are one line.
  const std::size_t first = std::min(data.find('\n'), data.find('\r'));
  if (first == std::string_view::npos) return {1, data.size()};
  std::size_t lines = 1;
  std::size_t end_bytes = 0;
  const char* at = data.data() + first;
  const char* const end = data.data() + data.size();
  // 0x80 if the byte before `at` is a CR: an LF after it ends no second line.
  EightBytes cr_before = 0;
  for (; end - at >= 8; at += 8) {
    const EightBytes word = load_eight(at);
    const EightBytes lf = all_equal(word, '\n');
    const EightBytes cr = all_equal(word, '\r');
    lines += count_bytes(cr | (lf & ~(cr << 8 | cr_before)));
    end_bytes += count_bytes(cr | lf);
    cr_before = cr >> 56;
  }
  bool is_behind_cr = cr_before != 0;
  for (; at < end; ++at) {
    if (*at == '\r' || (*at == '\n' && !is_behind_cr)) ++lines;
    if (is_line_end(*at)) ++end_bytes;
    is_behind_cr = *at == '\r';
  }
  return {lines, data.size() - end_bytes};
}

void append_data_lines(std::string& block, std::string_view data, Lines lines) {
  if (lines.count == 1) {
    block.append(kDataField).append(data).push_back('\n');
    return;
  }
  const std::size_t begin = block.size();
  block.resize(begin + data_lines_bytes(lines) + kDataLinesSlack);
  char* out = block.data() + begin;
  const char* at = data.data();
  const char* const end = at + data.size();
  for (;;) {
    std::memcpy(out, kDataField.data(), kDataField.size());
    out += kDataField.size();
    at = copy_line(at, end, out);
    *out++ = '\n';
    if (at == end) break;
    at += at[0] == '\r' && end - at > 1 && at[1] == '\n' ? 2 : 1;
  }
  assert(out == block.data() + block.size() - kDataLinesSlack);
  block.resize(block.size() - kDataLinesSlack);
}

}  // namespace weir
