#include "broker/api/away_routes.h"

#include <chrono>
#include <string>
#include <utility>

#include "broker/api/query.h"

namespace weir {
namespace {

constexpr std::uint32_t kRetryMinMs = 2'000;
constexpr std::uint32_t kRetrySpreadMs = 3'000;
// Spreads neighbouring turns over the whole range (Knuth's multiplicative hash).
constexpr std::uint32_t kSpread = 2'654'435'761;

}  // namespace

AwayRoutes::AwayRoutes(AccessRules rules, std::uint64_t random)
    : access_(std::move(rules)), turn_(static_cast<std::uint32_t>(random)) {}

Reply AwayRoutes::handle(Request& request) {
  const Head& head = request.head;
  // No Host and no Origin is refused: there is nothing to protect, and a 403 would end an EventSource for good.
  auto reply = access_.preflight(head);
  return reply ? with_headers(std::move(*reply), cors_headers(head)) : overloaded(head);
}

Reply AwayRoutes::overloaded(const Head& head) {
  Reply reply = with_headers(answer(head), cors_headers(head));
  reply.closes = true;  // The next request may find a gateway.
  return reply;
}

std::vector<Header> AwayRoutes::cors_headers(const Head& head) const { return access_.cors_headers(head); }

Reply AwayRoutes::answer(const Head& head) {
  const std::uint32_t turn = turn_.fetch_add(1, std::memory_order_relaxed) * kSpread;
  const std::uint32_t retry_ms = kRetryMinMs + (turn >> 16) % (kRetrySpreadMs + 1);
  if (head.method != "GET" || !read_accept(head.joined("accept")).is_named) {
    Reply reply = error_reply(503, "no gateway is ready");
    reply.headers.push_back({"Retry-After", std::to_string((retry_ms + 999) / 1'000)});
    return reply;
  }
  Reply reply;
  become_stream(reply);
  reply.body = ": away: no gateway is ready\nretry: " + std::to_string(retry_ms) + "\n\n";
  return reply;
}

}  // namespace weir
