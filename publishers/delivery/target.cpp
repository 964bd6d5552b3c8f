#include "publishers/delivery/target.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "proto/text.h"

namespace weir {
namespace {

const Error kNotATarget{
    "must be redis://[user:password@]host[:port], rediss://…, unix://path or http://host[:port][/base]"};

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool is_number(std::string_view text, std::uint32_t max, std::uint32_t& number) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  return code == std::errc{} && end == text.data() + text.size() && number <= max;
}

// "user:password@rest": takes the part before the last @ of the authority.
bool take_user(std::string_view& text, Target& target) {
  const auto at = text.substr(0, text.find('/')).rfind('@');
  if (at == std::string_view::npos) return true;
  const auto both = text.substr(0, at);
  text.remove_prefix(at + 1);
  const auto colon = both.find(':');
  const auto user = percent_decode(both.substr(0, colon));
  const auto password =
      percent_decode(colon == std::string_view::npos ? std::string_view{} : both.substr(colon + 1));
  if (!user || !password) return false;
  target.user = *user;
  target.password = *password;
  return true;
}

// "host", "host:port", "[::1]:port".
bool take_host(std::string_view authority, std::uint16_t default_port, Target& target) {
  std::string_view port;
  if (take_prefix(authority, "[")) {
    const auto bracket = authority.find(']');
    if (bracket == std::string_view::npos) return false;
    target.host = authority.substr(0, bracket);
    port = authority.substr(bracket + 1);
  } else {
    const auto colon = std::min(authority.find(':'), authority.size());
    target.host = authority.substr(0, colon);
    port = authority.substr(colon);
  }
  target.port = default_port;
  const bool is_clean = std::none_of(target.host.begin(), target.host.end(), [](unsigned char c) {
    return c <= ' ' || c == '"' || c == '\\' || c == 0x7f;
  });
  if (target.host.empty() || !is_clean) return false;
  if (port.empty()) return true;
  std::uint32_t number = 0;
  if (!take_prefix(port, ":") || !is_number(port, 65'535, number) || number == 0) return false;
  target.port = static_cast<std::uint16_t>(number);
  return true;
}

Result<Target> parse_http(std::string_view text) {
  Target target;
  target.kind = Target::Kind::kHttp;
  if (!take_user(text, target)) return kNotATarget;
  const auto slash = std::min(text.find('/'), text.size());
  target.path = text.substr(slash);
  while (target.path.ends_with('/')) target.path.pop_back();
  const bool is_plain = std::all_of(target.path.begin(), target.path.end(), [](unsigned char c) {
    return c > ' ' && c < 0x7f && c != '?' && c != '#';
  });
  if (!is_plain || !take_host(text.substr(0, slash), 80, target)) return kNotATarget;
  return target;
}

}  // namespace

std::string Target::redacted() const {
  if (kind == Kind::kRedis) return redis.redacted();
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return "http://" + name + ":" + std::to_string(port) + path;
}

Result<Target> parse_target(const std::string& text) {
  std::string_view rest = text;
  if (take_prefix(rest, "http://")) return parse_http(rest);
  if (rest.starts_with("https://"))
    return Error{"must not be https://: publishers speak plain http:// to a gateway"};
  for (const char* scheme : {"redis://", "rediss://", "unix://"}) {
    if (!rest.starts_with(scheme)) continue;
    auto url = parse_redis_url(text);
    if (!url) return url.error();
    Target target;
    target.redis = std::move(*url);
    return target;
  }
  return kNotATarget;
}

}  // namespace weir
