#include "broker/api/credential.h"

#include <algorithm>
#include <utility>

#include "broker/api/parameters.h"
#include "proto/text.h"

namespace weir {
namespace {

// Notes a token found in one place. False if that place already has a different one.
bool note(std::optional<std::string>& found, std::string_view token) {
  if (found) return *found == token;
  found = std::string(token);
  return true;
}

bool find_in_query(const QueryParameters& query, std::optional<std::string>& found) {
  for (const auto& [name, value] : query) {
    if (name == parameter::kAccessToken && !note(found, value)) return false;
  }
  return true;
}

bool find_in_cookies(const Head& head, std::string_view cookie_name, std::optional<std::string>& found) {
  for (const Header& header : head.headers) {
    if (header.name != "cookie") continue;
    std::string_view rest = header.value;
    while (!rest.empty()) {
      std::string_view pair = trim(take_until(rest, ';'));
      const std::string_view name = take_until(pair, '=');
      if (name == cookie_name && !note(found, pair)) return false;
    }
  }
  return true;
}

}  // namespace

Result<std::optional<std::string>> find_bearer_token(const Head& head) {
  std::optional<std::string> found;
  for (const Header& header : head.headers) {
    if (header.name != "authorization") continue;
    std::string_view value = header.value;
    const std::string_view scheme = take_until(value, ' ');
    if (equals_ignoring_case(scheme, "bearer") && !note(found, trim(value)))
      return Error{"there are two tokens in the Authorization headers"};
  }
  return found;
}

Result<std::optional<Credential>> find_credential(const Head& head, const QueryParameters& query,
                                                  std::string_view cookie_name) {
  using Source = Credential::Source;
  auto in_headers = find_bearer_token(head);
  if (!in_headers) return in_headers.error();
  std::optional<std::string> token = *std::move(in_headers);
  if (token) return std::optional(Credential{Source::kHeader, std::move(*token)});
  if (!find_in_query(query, token)) return Error{"there are two tokens in the query"};
  if (token) return std::optional(Credential{Source::kQuery, std::move(*token)});
  if (!find_in_cookies(head, cookie_name, token)) return Error{"there are two tokens in the cookies"};
  if (token) return std::optional(Credential{Source::kCookie, std::move(*token)});
  return std::optional<Credential>();
}

Reply challenge(int status, std::string_view detail, Refused refused, const std::string& parameters,
                std::optional<std::string_view> channel) {
  Reply reply = channel ? channel_error_reply(status, detail, *channel) : error_reply(status, detail);
  reply.headers.push_back({"WWW-Authenticate", "Bearer realm=\"weir\"" + parameters});
  reply.refused = refused;
  return reply;
}

std::string redacted_query(std::string_view query) {
  constexpr std::size_t kNameBytesMax = 32;
  constexpr std::size_t kNamesMax = 10;
  std::string redacted;
  std::size_t names = 0;
  while (!query.empty()) {
    std::string_view value = take_until(query, '&');
    if (value.empty()) continue;
    if (names > 0) redacted += '&';
    if (names++ == kNamesMax) return redacted += "...";
    const bool has_value = value.find('=') != std::string_view::npos;
    const std::string_view name = take_until(value, '=');
    const bool is_name =
        has_value && name.size() <= kNameBytesMax && std::all_of(name.begin(), name.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
        });
    redacted.append(is_name ? name : "(redacted)");
    if (has_value) redacted += "=(redacted)";
  }
  return redacted;
}

}  // namespace weir
