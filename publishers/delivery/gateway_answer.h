// Judges the answer of a gateway to a POST of a message.
//
// Threads: any; pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "publishers/delivery/sink.h"

namespace weir {

// A gateway's answers are a fraction of this. No more is read.
inline constexpr std::size_t kAnswerBytesMax = 4 << 10;

// What came back.
struct GatewayAnswer {
  int status = 0;
  std::string body = {};  // At most kAnswerBytesMax.
  enum class Body {
    kWhole,
    kLonger,  // There is more of it than was read.
    kCut,     // The connection broke in it, or the rest did not come in time.
  } state = Body::kWhole;
};

struct Verdict {
  Outcome outcome = Outcome::kPublished;
  std::string why = {};   // One line; empty for kPublished.
  bool is_known = false;  // A message with the same idempotency key was there already.
};

// Only 202 with weir's own answer, a JSON object that names the channel, publishes: any web server says 200,
// and any other service that takes jobs says 202. `may_change_token` says that the token may be another one at
// the next attempt, so that 401 is a failure that passes.
Verdict judge(const GatewayAnswer& answer, std::string_view channel, bool may_change_token);

}  // namespace weir
