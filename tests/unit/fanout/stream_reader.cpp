#include "tests/unit/fanout/stream_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace weir {

StreamReader::StreamReader(bool is_chunked) : is_chunked_(is_chunked) {
  std::array<int, 2> sockets{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets.data()), 0);
  gateway_ = sockets[0];
  mine_ = sockets[1];
  const int small = 4'096;
  ::setsockopt(gateway_, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
}

StreamReader::StreamReader(StreamReader&& other) noexcept
    : is_chunked_(other.is_chunked_),
      gateway_(std::exchange(other.gateway_, -1)),
      mine_(std::exchange(other.mine_, -1)),
      is_closed_(other.is_closed_),
      has_last_chunk_(other.has_last_chunk_),
      has_head_(other.has_head_),
      raw_(std::move(other.raw_)),
      body_(std::move(other.body_)),
      head_(std::move(other.head_)),
      events_(std::move(other.events_)),
      last_event_id_(std::move(other.last_event_id_)) {}

StreamReader::~StreamReader() {
  close();
  if (gateway_ >= 0) ::close(gateway_);
}

int StreamReader::take_socket() { return std::exchange(gateway_, -1); }

void StreamReader::close() {
  if (mine_ >= 0) ::close(std::exchange(mine_, -1));
}

std::size_t StreamReader::read(std::size_t bytes_max) {
  std::array<char, 8'192> buffer;
  std::size_t total = 0;
  while (mine_ >= 0 && total < bytes_max) {
    const ssize_t bytes = ::read(mine_, buffer.data(), std::min(buffer.size(), bytes_max - total));
    if (bytes > 0) {
      raw_.append(buffer.data(), static_cast<std::size_t>(bytes));
      total += static_cast<std::size_t>(bytes);
      continue;
    }
    if (bytes == 0 || (errno != EAGAIN && errno != EINTR)) is_closed_ = true;
    break;
  }
  take_apart();
  return total;
}

void StreamReader::take_apart() {
  std::size_t at = 0;
  if (!has_head_) {
    const auto end = raw_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    head_ = raw_.substr(0, end + 4);
    has_head_ = true;
    at = end + 4;
  }
  if (!is_chunked_) {
    body_.append(raw_, at);
    at = raw_.size();
  }
  while (is_chunked_ && at < raw_.size()) {
    const auto line = raw_.find("\r\n", at);
    if (line == std::string::npos) break;
    std::size_t digits = 0;
    const std::size_t length = std::stoul(raw_.substr(at, line - at), &digits, 16);
    EXPECT_EQ(digits, line - at) << "not a chunk's length: " << raw_.substr(at, line - at);
    if (raw_.size() < line + 2 + length + 2) break;
    EXPECT_EQ(raw_.substr(line + 2 + length, 2), "\r\n") << "a torn chunk";
    EXPECT_FALSE(has_last_chunk_) << "bytes behind the last chunk";
    if (length == 0) has_last_chunk_ = true;
    body_.append(raw_, line + 2, length);
    at = line + 2 + length + 2;
  }
  raw_.erase(0, at);
  std::size_t begin = 0;
  for (auto end = body_.find("\n\n"); end != std::string::npos; end = body_.find("\n\n", begin)) {
    take_block(std::string_view(body_).substr(begin, end - begin));
    begin = end + 2;
  }
  body_.erase(0, begin);
}

void StreamReader::take_block(std::string_view block) {
  ReceivedEvent event;
  while (!block.empty()) {
    const auto end = std::min(block.find('\n'), block.size());
    const std::string_view line = block.substr(0, end);
    block.remove_prefix(std::min(end + 1, block.size()));
    const auto colon = line.find(':');
    ASSERT_NE(colon, std::string_view::npos) << line;
    const std::string_view field = line.substr(0, colon);
    std::string_view value = line.substr(colon + 1);
    if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    if (field.empty()) event.comment.append(event.comment.empty() ? "" : "\n").append(value);
    if (field == "id") event.id = last_event_id_ = value;
    if (field == "event") event.type = value;
    if (field == "retry") event.retry = value;
    if (field == "data") {
      if (event.has_data) event.data += '\n';
      event.data += value;
      event.has_data = true;
    }
  }
  events_.push_back(std::move(event));
}

}  // namespace weir
