// The services and backends of a model beside their places in the file.
#include "control/config/views.hpp"

#include "control/config/keys.hpp"
#include "control/config/utf8.hpp"

namespace astil::config {

template <class T>
bool View<T>::is_sound(std::string_view key) const {
  return is_sound_or_absent(entry->value.find(key), *mistakes);
}

template <class T>
Place View<T>::place_of(std::string_view key) const {
  const Entry* found = entry->value.find(key);
  return found != nullptr ? found->value.place : entry->place;
}

template <class T>
bool View<T>::has_value(std::string_view key) const {
  return entry->value.find(key) != nullptr && is_sound(key);
}

template struct View<Backend>;
template struct View<DnsReport>;
template struct View<Service>;
template struct View<VrrpGroup>;
template struct View<DnsZone>;
template struct View<DnsName>;
template struct View<DnsSite>;

bool BackendView::has_endpoint() const {
  const bool has_port = entry->value.find("port") != nullptr ? is_sound("port") : has_default_port;
  return has_value("address") && has_port;
}

std::string BackendView::endpoint() const { return show_endpoint(model->host, model->port); }

bool ServiceView::has_endpoint() const { return has_value("address") && has_value("port") && is_sound("protocol"); }

std::string ServiceView::endpoint() const { return show_endpoint(model->host, model->port); }

std::string ServiceView::name() const { return "service " + in_quotes(model->name); }

std::vector<ServiceView> views_of(const Model& model, const Node& root, const Mistakes& mistakes) {
  std::vector<ServiceView> views;
  for (const Service& service : model.services) {
    const Entry* entry = root.find("services")->value.find(service.name);
    ServiceView view{{&service, entry, &mistakes}, {}};
    for (const Backend& backend : service.backends) {
      const Entry* inner = entry->value.find("backends")->value.find(backend.name);
      view.backends.push_back({{&backend, inner, &mistakes}, view.has_value("port")});
    }
    views.push_back(std::move(view));
  }
  return views;
}

bool is_sound_or_absent(const Entry* entry, const Mistakes& mistakes) {
  return entry == nullptr || !mistakes.at(entry->value.place);
}

std::string line_of(Place place) { return " (line " + std::to_string(place.line) + ')'; }

}  // namespace astil::config
