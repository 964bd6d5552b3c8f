#include "broker/api/doorkeeper.h"

#include <chrono>
#include <utility>

#include "broker/api/credential.h"

namespace weir {
namespace {

Reply bad_token(const std::string& why) {
  return challenge(401, why, Refused::kTokenBad,
                   ", error=\"invalid_token\", error_description=\"" + why + "\"");
}

std::string deed(Action action, std::string_view channel) {
  return (action == Action::kPublish ? "publishing to \"" : "subscribing to \"") + std::string(channel) +
         "\"";
}

// A browser says where a request without an Origin comes from (Fetch Metadata); "none" means its user.
bool is_foreign_site(const Head& head) {
  const std::string* site = head.find("sec-fetch-site");
  return site != nullptr && *site != "same-origin" && *site != "none";
}

}  // namespace

Doorkeeper::Doorkeeper(const Access& access, const TokenVerifier* verifier, std::string cookie_name)
    : access_(access), verifier_(verifier), cookie_name_(std::move(cookie_name)) {}

std::variant<Caller, Reply> Doorkeeper::identify(const Head& head, const QueryParameters& query) const {
  if (verifier_ == nullptr) return Caller();
  const auto credential = find_credential(head, query, cookie_name_);
  if (!credential) return bad_token(credential.error().message);
  if (!*credential) return Caller();
  if ((*credential)->source == Credential::Source::kCookie) {
    const std::string* origin = head.find("origin");
    const bool is_foreign = origin != nullptr ? !access_.is_own_origin(head, *origin)
                                              : head.method == "POST" && is_foreign_site(head);
    if (is_foreign) {
      Reply reply = error_reply(
          403, "a page of another origin may not use this cookie: see --cors-origin, which must name it");
      reply.refused = Refused::kOrigin;
      return reply;
    }
  }
  auto claims = verifier_->verify((*credential)->token, std::chrono::system_clock::now());
  if (!claims) return bad_token(claims.error().message);
  return Caller{std::move(*claims)};
}

std::optional<Reply> Doorkeeper::refuse(const Caller& caller, Action action, std::string_view channel) const {
  const bool is_publish = action == Action::kPublish;
  if (is_publish ? access_.may_publish(channel) : access_.may_subscribe(channel)) return std::nullopt;
  if (caller.claims) {
    const Claims& claims = *caller.claims;
    if (is_publish ? claims.may_publish(channel) : claims.may_subscribe(channel)) return std::nullopt;
    return challenge(403, deed(action, channel) + " is not allowed by the token: see its claim weir",
                     Refused::kTokenScope, ", error=\"insufficient_scope\"", channel);
  }
  if (verifier_ != nullptr)
    return challenge(401,
                     deed(action, channel) +
                         " takes a token: send it as Authorization: Bearer TOKEN, as the cookie " +
                         cookie_name_ + ", or as ?access_token=TOKEN",
                     Refused::kTokenMissing, "", channel);
  Reply reply = channel_error_reply(403,
                                    deed(action, channel) + " is not allowed to anyone: see " +
                                        (is_publish ? "--anonymous-publish" : "--anonymous-subscribe"),
                                    channel);
  reply.refused = is_publish ? Refused::kPublishRule : Refused::kSubscribeRule;
  return reply;
}

}  // namespace weir
