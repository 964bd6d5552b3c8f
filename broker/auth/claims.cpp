#include "broker/auth/claims.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>

#include "proto/channel_name.h"

namespace weir {
namespace {

using Time = std::chrono::system_clock::time_point;

bool matches_any(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [name](const std::string& pattern) { return matches_pattern(pattern, name); });
}

// Seconds since 1970 (RFC 7519's NumericDate), truncated; nullopt if it is no number or out of range. Compare
// as a double first: 1e308 has no integer.
std::optional<Time> time_of(const Json& claim) {
  const bool is_in_range = claim.number >= 0.0 && claim.number <= kTimeMax;
  if (!claim.is(Json::Kind::kNumber) || !is_in_range) return std::nullopt;
  const auto whole = static_cast<std::int64_t>(std::floor(claim.number));
  // The clock counts nanoseconds, which reach until 2262.
  constexpr auto kLast = std::chrono::duration_cast<std::chrono::seconds>(Time::max().time_since_epoch());
  return Time(std::min(std::chrono::seconds(whole), kLast));
}

bool is_text(const Json& claim, std::string_view text) {
  return claim.is(Json::Kind::kText) && claim.text == text;
}

bool names(const Json& claim, const std::string& audience) {
  return is_text(claim, audience) || (claim.is(Json::Kind::kArray) &&
                                      std::any_of(claim.values.begin(), claim.values.end(),
                                                  [&](const Json& each) { return is_text(each, audience); }));
}

// False if there is a member of that name that is not an array of texts.
bool read_patterns(const Json& weir, std::string_view name, std::vector<std::string>& patterns) {
  const Json* claim = weir.find(name);
  if (claim == nullptr) return true;
  if (!claim->is(Json::Kind::kArray)) return false;
  for (const Json& each : claim->values) {
    if (!each.is(Json::Kind::kText)) return false;
    patterns.push_back(each.text);
  }
  return true;
}

}  // namespace

bool Claims::may_subscribe(std::string_view channel) const { return matches_any(subscribe, channel); }
bool Claims::may_publish(std::string_view channel) const { return matches_any(publish, channel); }

Result<Claims> read_claims(const Json& payload, const std::string& audience, Time now) {
  if (!payload.is(Json::Kind::kObject)) return Error{"the payload of the token is no object"};
  const Json* expiry = payload.find("exp");
  if (expiry == nullptr) return Error{"the token has no exp"};
  const auto expires_at = time_of(*expiry);
  if (!expires_at) return Error{"the exp of the token is no time"};
  if (*expires_at <= now) return Error{"the token has expired"};
  if (const Json* not_before = payload.find("nbf")) {
    const auto begins_at = time_of(*not_before);
    if (!begins_at) return Error{"the nbf of the token is no time"};
    if (*begins_at > now + kLeeway) return Error{"the token is not valid yet"};
  }
  if (!audience.empty()) {
    const Json* intended = payload.find("aud");
    if (intended == nullptr || !names(*intended, audience)) return Error{"the token is for another audience"};
  }
  Claims claims{*expires_at};
  if (const Json* weir = payload.find("weir")) {
    if (!weir->is(Json::Kind::kObject)) return Error{"the claim weir of the token is no object"};
    if (!read_patterns(*weir, "subscribe", claims.subscribe))
      return Error{"the claim weir.subscribe of the token is no array of texts"};
    if (!read_patterns(*weir, "publish", claims.publish))
      return Error{"the claim weir.publish of the token is no array of texts"};
  }
  return claims;
}

}  // namespace weir
