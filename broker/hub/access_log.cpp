#include "broker/hub/access_log.h"

#include <chrono>
#include <string>

#include "broker/base/logging.h"
#include "broker/fanout/client.h"

namespace weir {

namespace {

// Keeps the line of a stream with very many channels short.
constexpr std::size_t kNamesBytesMax = 400;

// "a,b,c", or "a,b,+98" if there are too many. No name holds a comma or a plus.
std::string names_of(const Client& client) {
  std::string names;
  const std::size_t count = client.channels();
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) names += ',';
    if (names.size() > kNamesBytesMax) return names + '+' + std::to_string(count - i);
    names += client.channel_name(i);
  }
  return names;
}

}  // namespace

AccessLog::AccessLog(bool is_on, std::size_t lines_per_second) : is_on_(is_on), rate_(lines_per_second) {}

void AccessLog::on_start(const Client& client) {
  if (!takes_line()) return;
  const std::string channels = names_of(client);
  const std::string address = client.address().text();
  log_info("stream starts", {{"channels", channels}, {"client", address}});
}

void AccessLog::on_end(const Client& client, CloseReason reason) {
  if (!takes_line()) return;
  const std::string channels = names_of(client);
  const std::string address = client.address().text();
  log_info("stream ended", {{"channels", channels},
                            {"client", address},
                            {"seconds", std::chrono::duration<double>(client.age()).count()},
                            {"messages", client.messages()},
                            {"bytes", client.bytes()},
                            {"gaps", client.gaps()},
                            {"reason", kCloseReasonNames[static_cast<std::size_t>(reason)]}});
}

bool AccessLog::takes_line() {
  if (!is_on_ || !is_logged(LogLevel::kInfo)) return false;
  if (rate_.take(std::chrono::steady_clock::now())) return true;
  left_out_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void AccessLog::tell_left_out() {
  const std::uint64_t all = left_out();
  if (all == told_) return;
  log_info("starts and ends of streams are left out", {{"lines", all - told_}});
  told_ = all;
}

}  // namespace weir
