#include "bench/load/churn.h"

#include <sys/socket.h>
#include <unistd.h>

#include <deque>
#include <utility>

#include "bench/load/response.h"
#include "bench/load/stamp.h"
#include "process/thread.h"

namespace weir::bench {

struct Churn::Visit {
  int fd = -1;
  std::int64_t ends_ns = 0;
  bool is_requested = false;
  bool is_well = true;
  ResponseReader response;
};

Churn::Churn(Address address, std::string path, double per_second, std::chrono::milliseconds lifetime)
    : address_(std::move(address)),
      request_("GET " + path + " HTTP/1.1\r\nHost: " + address_.host +
               "\r\nAccept: text/event-stream\r\n\r\n"),
      per_second_(per_second),
      lifetime_(lifetime),
      thread_(start_thread("load-churn", [this] { run(); })) {}

Churn::~Churn() { stop(); }

void Churn::stop() {
  is_stopped_ = true;
  if (thread_.joinable()) thread_.join();
}

// All visits are of the same length, so the first in the queue is always the next to end.
void Churn::run() {
  std::deque<Visit> visits;
  const std::int64_t start = now_ns();
  for (std::uint64_t n = 0; !is_stopped_; ++n) {
    const auto due = start + static_cast<std::int64_t>(static_cast<double>(n) * 1e9 / per_second_);
    std::this_thread::sleep_for(std::chrono::nanoseconds(due - now_ns()));
    visits.push_back(open());
    // A connection on loopback is there at once: the one before has been accepted by the kernel by now.
    if (visits.size() > 1) read(visits[visits.size() - 2]);
    while (!visits.empty() && visits.front().ends_ns <= now_ns()) {
      Visit& visit = visits.front();
      read(visit);
      (visit.is_well && visit.response.has_head() ? opened_ : failed_) += 1;
      if (visit.fd >= 0) ::close(visit.fd);
      visits.pop_front();
    }
  }
  for (const Visit& visit : visits) {
    if (visit.fd >= 0) ::close(visit.fd);
  }
}

Churn::Visit Churn::open() {
  Visit visit;
  visit.ends_ns = now_ns() + std::chrono::nanoseconds(lifetime_).count();
  visit.fd = connect_to(address_, 32 + static_cast<unsigned>(visit.ends_ns % 16), 0);
  visit.is_well = visit.fd >= 0;
  return visit;
}

void Churn::read(Visit& visit) {
  if (!visit.is_well) return;
  if (!visit.is_requested) {
    visit.is_well = ::send(visit.fd, request_.data(), request_.size(), MSG_NOSIGNAL) > 0;
    visit.is_requested = true;
  }
  char buffer[64 << 10];
  while (visit.is_well) {
    const ssize_t size = ::recv(visit.fd, buffer, sizeof buffer, 0);
    if (size <= 0) return;
    visit.is_well = visit.response.read(std::string_view(buffer, static_cast<std::size_t>(size)),
                                        [](std::string_view) {});
  }
}

}  // namespace weir::bench
