#include "broker/http/chunk_decoder.h"

#include <algorithm>
#include <charconv>

namespace weir {
namespace {

constexpr std::size_t kLineBytesMax = 1'024;
constexpr std::size_t kTrailerBytesMax = 8'192;

bool is_text(char c) { return static_cast<unsigned char>(c) >= ' ' || c == '\t'; }

}  // namespace

void ChunkDecoder::refuse(const char* why) {
  state_ = State::kRefused;
  error_ = why;
}

// Collects up to and including CRLF, then calls on_line() without it. The body has `room` for more bytes.
std::size_t ChunkDecoder::take_line(std::string_view input, std::uint64_t room) {
  const auto end = input.find('\n');
  const std::size_t taken = end == std::string_view::npos ? input.size() : end + 1;
  if (line_.size() + taken > kLineBytesMax) {
    refuse("a chunk's size line or trailer is too long");
    return taken;
  }
  line_.append(input.substr(0, taken));
  if (end == std::string_view::npos) return taken;
  if (line_.size() < 2 || line_[line_.size() - 2] != '\r') {
    refuse("a bare LF in the chunked body");
    return taken;
  }
  line_.resize(line_.size() - 2);
  if (!std::all_of(line_.begin(), line_.end(), is_text)) {
    refuse("a control character in the chunked body");
    return taken;
  }
  on_line(room);
  line_.clear();
  return taken;
}

void ChunkDecoder::on_line(std::uint64_t room) {
  switch (part_) {
    case Part::kSizeLine: {
      const auto [end, error] = std::from_chars(line_.data(), line_.data() + line_.size(), left_, 16);
      std::string_view rest(end, static_cast<std::size_t>(line_.data() + line_.size() - end));
      rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
      if (error != std::errc() || (!rest.empty() && rest.front() != ';'))
        return refuse("a chunk's size is not a number");
      if (left_ > room) state_ = State::kTooLong;
      part_ = left_ == 0 ? Part::kTrailers : Part::kData;
      return;
    }
    case Part::kDataEnd:
      if (!line_.empty()) return refuse("a chunk is longer than its size");
      part_ = Part::kSizeLine;
      return;
    case Part::kTrailers:
      trailer_bytes_ += line_.size();
      if (line_.empty()) state_ = State::kDone;
      if (trailer_bytes_ > kTrailerBytesMax) refuse("the trailers are too long");
      return;
    case Part::kData:
      return;
  }
}

std::size_t ChunkDecoder::feed(std::string_view input, std::string& body, std::size_t body_bytes_max) {
  const std::size_t size = input.size();
  while (!input.empty() && state_ == State::kOpen) {
    if (part_ != Part::kData) {
      input.remove_prefix(take_line(input, body_bytes_max - body.size()));
      continue;
    }
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
    body.append(input.substr(0, taken));
    input.remove_prefix(taken);
    left_ -= taken;
    if (left_ == 0) part_ = Part::kDataEnd;
  }
  return size - input.size();
}

}  // namespace weir
