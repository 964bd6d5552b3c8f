#include "publishers/log/standard_input.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "publishers/log/byte_order_mark.h"
#include "publishers/log/file_position.h"

namespace weir {

StandardInput::StandardInput(int file, std::size_t line_bytes_max, const MakeLineFormat& make_format)
    : file_(file),
      stop_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      splitter_(line_bytes_max),
      format_(make_format ? make_format() : nullptr),
      bytes_(kReadBytes, '\0'),
      life_(new_life()) {
  assert(stop_fd_ >= 0);
}

StandardInput::~StandardInput() { ::close(stop_fd_); }

Result<bool> StandardInput::read(std::vector<Line>& lines, const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] { ::eventfd_write(stop_fd_, 1); });
  while (!is_at_end_) {
    std::array<pollfd, 2> fds{{{file_, POLLIN, 0}, {stop_fd_, POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) break;
    if (fds[1].revents != 0) return false;
    if (fds[0].revents == 0) continue;
    const long size = read_once(lines);
    if (is_utf16_) return Error{kUtf16};
    if (size >= 0) return true;
    if (errno != EAGAIN && errno != EINTR) break;
  }
  if (is_at_end_) return true;
  return Error{std::strerror(errno)};
}

void StandardInput::read_rest(std::vector<Line>& lines) {
  pollfd ready{.fd = file_, .events = POLLIN, .revents = 0};
  if (is_at_end_ || ::poll(&ready, 1, 0) <= 0) return;
  read_once(lines);
}

long StandardInput::read_once(std::vector<Line>& lines) {
  const auto size = ::read(file_, bytes_.data(), bytes_.size());
  if (size < 0) return size;
  std::vector<Line> split;
  const std::size_t first = lines.size();
  if (size > 0) {
    splitter_.add(std::string_view(bytes_).substr(0, static_cast<std::size_t>(size)), split,
                  std::numeric_limits<std::size_t>::max(), read_bytes_);
    read_bytes_ += static_cast<std::size_t>(size);
  } else {
    is_at_end_ = true;
    splitter_.finish(split);
  }
  take(std::move(split), lines);
  if (is_at_end_ && format_) format_->finish(lines);
  for (std::size_t i = first; i < lines.size(); ++i) lines[i].place.life = life_;
  return size;
}

void StandardInput::take(std::vector<Line> split, std::vector<Line>& lines) {
  if (!split.empty() && std::exchange(is_first_, false)) {
    std::string& first = split.front().text;
    if (first.starts_with(kUtf8Mark)) first.erase(0, kUtf8Mark.size());
    is_utf16_ = begins_as_utf16(first);
  }
  if (is_utf16_) return;
  for (Line& line : split) {
    if (format_) {
      format_->add(std::move(line), lines);
    } else {
      lines.push_back(std::move(line));
    }
  }
}

}  // namespace weir
