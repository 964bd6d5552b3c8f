#include "publishers/delivery/gateway_answer.h"

#include <optional>

#include "process/readable.h"
#include "proto/json_scanner.h"
#include "proto/text.h"

namespace weir {
namespace {

// How much of a refusal's body is logged.
constexpr std::size_t kShownBytesMax = 200;

enum class Kind { kText, kOther };

// A member of a JSON object: the characters of a text, the JSON of another value. nullopt if `json` is no object, or has
// no such member of this kind.
std::optional<std::string> member(std::string_view json, std::string_view wanted, Kind kind = Kind::kText) {
  JsonScanner scanner(json);
  std::optional<std::string> found;
  if (!scanner.take('{')) return std::nullopt;
  if (!scanner.take('}')) {
    do {
      std::string key;
      if (!scanner.next_text(key) || !scanner.take(':')) return std::nullopt;
      std::string text;
      const bool is_found = key == wanted && scanner.is_at_string() == (kind == Kind::kText);
      if (is_found && kind == Kind::kText) {
        if (!scanner.next_text(text)) return std::nullopt;
        found = std::move(text);
        continue;
      }
      const std::string_view value = scanner.next_value();
      if (value.empty()) return std::nullopt;
      if (is_found) found = value;
    } while (scanner.take(','));
    if (!scanner.take('}')) return std::nullopt;
  }
  return scanner.is_at_end() ? found : std::nullopt;
}

Verdict no_gateway(int status) {
  return {Outcome::kRefused, "this is no weir gateway (status " + std::to_string(status) + ")"};
}

Outcome outcome_of(const GatewayAnswer& answer, bool may_change_token) {
  switch (answer.status) {
    case 401:  // The token has expired, and a new one may be on its way.
      return may_change_token ? Outcome::kFailed : Outcome::kRefused;
    case 408:  // The request did not come to its end in time: it was not read.
    case 425:
    case 429:
    case 503:  // Redis is away, or too many publishes wait: the gateway has not passed the message on.
      return Outcome::kFailed;
    case 413:
      return Outcome::kTooLarge;
    case 502:  // Weir's own says that nothing was published; a proxy's leaves it open.
      return member(answer.body, "detail") ? Outcome::kRefused : Outcome::kUnknown;
    default:  // 504 says in words that the outcome is unknown; a 500 leaves it open as well.
      return answer.status >= 500 ? Outcome::kUnknown : Outcome::kRefused;
  }
}

}  // namespace

Verdict judge(const GatewayAnswer& answer, std::string_view channel, bool may_change_token) {
  const std::string status = std::to_string(answer.status);
  if (answer.status == 202) {
    // A gateway may well have published it: the answer was lost on its way.
    if (answer.state == GatewayAnswer::Body::kCut) return {Outcome::kUnknown, "an answer that is cut off"};
    const bool is_whole = answer.state == GatewayAnswer::Body::kWhole;
    if (is_whole && member(answer.body, "channel") == channel) {
      return {.is_known = member(answer.body, "repeated", Kind::kOther) == "true"};
    }
    return no_gateway(answer.status);
  }
  if (answer.status < 400) return no_gateway(answer.status);
  return {outcome_of(answer, may_change_token),
          "status " + status + " " + one_line(trim(answer.body, " \t\r\n").substr(0, kShownBytesMax))};
}

}  // namespace weir
