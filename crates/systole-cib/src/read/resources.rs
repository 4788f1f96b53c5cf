//! `<resources>`.

use super::context::Reader;
use crate::{
    model::{
        Agent, Bundle, BundleNetwork, Cib, CloneChild, CloneResource, Container, ContainerRuntime, Expansion,
        Group, Operation, PortMapping, Primitive, Resource, StorageMapping, StorageSource, Tag,
    },
    xml::Element,
};
use std::{collections::BTreeSet, sync::Arc};
use systole_types::{ElementId, Role};

impl<'d> Reader<'d> {
    pub fn resources(&mut self, section: Element<'d>, cib: &mut Cib) {
        for element in section.children() {
            let resource = match element.name() {
                "primitive" => self.primitive(element).map(Resource::Primitive),
                "group" => self.group(element).map(Resource::Group),
                "clone" | "master" => self.clone_resource(element).map(Resource::Clone),
                "bundle" => self.bundle(element).map(|bundle| Resource::Bundle(Box::new(bundle))),
                "template" => {
                    cib.templates.extend(self.template(element, section));
                    None
                }
                _ => {
                    self.unknown(element, "<resources>");
                    None
                }
            };
            cib.resources.extend(resource);
        }
    }

    /// A template as the name of the primitives made from it.
    fn template(&mut self, element: Element<'d>, section: Element<'d>) -> Option<Tag> {
        let id = self.required(element, "id")?;
        let users = section.descendants().filter(|e| e.is("primitive") && e.attr("template") == Some(id));
        let members = users.filter_map(|user| user.id().map(ElementId::new)).collect();
        Some(Tag { id: ElementId::new(id), members })
    }

    fn primitive(&mut self, element: Element<'d>) -> Option<Primitive> {
        let id = self.resource_id(element)?;
        self.unknown_children(element);
        let template = match element.attr("template") {
            Some(name) => Some(self.template_of(element, name)?),
            None => None,
        };
        let mut primitive = Primitive {
            id,
            description: self.text(element, "description"),
            template: template.and_then(|t| t.id()).map(ElementId::new),
            agent: self.agent(template.unwrap_or(element))?,
            meta: self.meta(element),
            parameters: self.parameters(element),
            utilization: self.utilization(element),
            operations: self.operations(element),
        };
        if let Some(template) = template {
            self.merge(&mut primitive, template);
        }
        Some(primitive)
    }

    fn template_of(&mut self, element: Element<'d>, name: &str) -> Option<Element<'d>> {
        match self.ids.get(name) {
            Some(template) if template.is("template") => {
                let template = *template;
                self.may_refer(element, template).then_some(template)
            }
            Some(_) => {
                self.error(element, format!("template: {name:?} is not a <template>"));
                None
            }
            None => {
                self.error(element, format!("template: there is no template {name:?}"));
                None
            }
        }
    }

    /// Adds what the template has: its sets before the primitive's own, and those operations that the primitive does not
    /// define itself for the same role.
    fn merge(&mut self, primitive: &mut Primitive, template: Element<'d>) {
        primitive.meta.splice(..0, self.meta(template));
        primitive.parameters.splice(..0, self.parameters(template));
        primitive.utilization.splice(..0, self.utilization(template));
        let own: BTreeSet<_> = primitive.operations.iter().map(name_and_role).collect();
        let mut added = self.operations(template);
        added.retain(|op| !own.contains(&name_and_role(op)));
        primitive.operations.extend(added);
    }

    fn agent(&mut self, element: Element<'d>) -> Option<Agent> {
        let (class, kind) = (self.required(element, "class")?, self.required(element, "type")?);
        let provider = self.text(element, "provider");
        if class == "ocf" && provider.is_none() {
            self.error(element, "provider is missing, which class \"ocf\" needs");
            return None;
        }
        Some(Agent { class: self.shared(class), provider, kind: self.shared(kind) })
    }

    fn unknown_children(&mut self, primitive: Element<'d>) {
        for child in primitive.children() {
            if !matches!(
                child.name(),
                "meta_attributes" | "instance_attributes" | "utilization" | "operations"
            ) {
                self.unknown(child, "a <primitive>");
            }
        }
    }

    fn group(&mut self, element: Element<'d>) -> Option<Group> {
        let id = self.resource_id(element)?;
        let mut members = Vec::new();
        for child in element.children() {
            match child.name() {
                "primitive" => members.extend(self.primitive(child)),
                "meta_attributes" | "instance_attributes" => {}
                _ => self.unknown(child, "a <group>"),
            }
        }
        if members.is_empty() {
            self.warning(element, "the group has no members");
        }
        Some(Group {
            id,
            description: self.text(element, "description"),
            meta: self.meta(element),
            parameters: self.parameters(element),
            members,
        })
    }

    fn clone_resource(&mut self, element: Element<'d>) -> Option<CloneResource> {
        let id = self.resource_id(element)?;
        let mut cloned = None;
        for child in element.children() {
            match child.name() {
                "primitive" | "group" if cloned.is_some() => {
                    self.error(child, "a clone is of one primitive or group only: this one is ignored");
                }
                "primitive" => cloned = self.primitive(child).map(CloneChild::Primitive),
                "group" => cloned = self.group(child).map(CloneChild::Group),
                "meta_attributes" | "instance_attributes" => {}
                _ => self.unknown(child, "a <clone>"),
            }
        }
        let Some(child) = cloned else {
            self.error(element, "there is nothing to clone: it needs a <primitive> or <group>");
            return None;
        };
        Some(CloneResource {
            id,
            description: self.text(element, "description"),
            is_legacy_master: element.is("master"),
            meta: self.meta(element),
            parameters: self.parameters(element),
            child,
        })
    }

    fn bundle(&mut self, element: Element<'d>) -> Option<Bundle> {
        let id = self.resource_id(element)?;
        let (mut container, mut network, mut primitive) = (None, None, None);
        let mut storage = Vec::new();
        for child in element.children() {
            match child.name() {
                "podman" => container = self.container(child, ContainerRuntime::Podman),
                "docker" => container = self.container(child, ContainerRuntime::Docker),
                "network" => network = Some(self.network(child)),
                "storage" => {
                    for mapping in child.children_named("storage-mapping") {
                        storage.extend(self.storage_mapping(mapping));
                    }
                }
                "primitive" if primitive.is_some() => {
                    self.error(child, "a bundle has room for one primitive only: this one is ignored");
                }
                "primitive" => primitive = self.primitive(child),
                "meta_attributes" | "instance_attributes" => {}
                "rkt" => self.error(child, "rkt containers are not supported any more: use <podman>"),
                _ => self.unknown(child, "a <bundle>"),
            }
        }
        let Some(container) = container else {
            self.error(element, "the bundle is ignored: it needs a <podman> or <docker> with an image");
            return None;
        };
        Some(Bundle {
            id,
            description: self.text(element, "description"),
            meta: self.meta(element),
            parameters: self.parameters(element),
            container,
            network,
            storage,
            primitive,
            expansion: Expansion::default(),
        })
    }

    fn container(&mut self, element: Element<'d>, runtime: ContainerRuntime) -> Option<Container> {
        let image = self.required(element, "image")?;
        let promoted = if element.attr("promoted-max").is_some() { "promoted-max" } else { "masters" };
        Some(Container {
            runtime,
            image: self.shared(image),
            replicas: self.number(element, "replicas"),
            replicas_per_host: self.number(element, "replicas-per-host"),
            promoted_max: self.number(element, promoted),
            network: self.text(element, "network"),
            run_command: self.text(element, "run-command"),
            options: self.text(element, "options"),
        })
    }

    fn network(&mut self, element: Element<'d>) -> BundleNetwork {
        BundleNetwork {
            ip_range_start: self.value(element, "ip-range-start"),
            host_netmask: self.text(element, "host-netmask"),
            host_interface: self.text(element, "host-interface"),
            control_port: self.text(element, "control-port"),
            add_host: self.boolean(element, "add-host").unwrap_or(true),
            ports: element
                .children_named("port-mapping")
                .filter_map(|port| self.port_mapping(port))
                .collect(),
        }
    }

    fn port_mapping(&mut self, element: Element<'d>) -> Option<PortMapping> {
        let id = self.element_id(element);
        if let Some(port) = self.text(element, "port") {
            let internal_port = self.text(element, "internal-port").unwrap_or_else(|| port.clone());
            return Some(PortMapping { id, port, internal_port, is_range: false });
        }
        let Some(range) = self.text(element, "range") else {
            self.error(element, "needs port or range");
            return None;
        };
        Some(PortMapping { id, internal_port: range.clone(), port: range, is_range: true })
    }

    fn storage_mapping(&mut self, element: Element<'d>) -> Option<StorageMapping> {
        let source = match (element.attr("source-dir"), element.attr("source-dir-root")) {
            (Some(dir), _) => StorageSource::Dir(self.shared(dir)),
            (None, Some(root)) => StorageSource::Root(self.shared(root)),
            (None, None) => {
                self.error(element, "needs source-dir or source-dir-root");
                return None;
            }
        };
        let target = self.required(element, "target-dir")?;
        Some(StorageMapping {
            id: self.element_id(element),
            source,
            target_dir: self.shared(target),
            options: self.text(element, "options"),
        })
    }
}

/// By what Pacemaker tells whether a primitive's operation takes the place of its template's: the name, and the role
/// where that is not the usual one.
fn name_and_role(operation: &Operation) -> (Arc<str>, Role) {
    let role = operation.properties.iter().find(|(name, _)| &**name == "role");
    let role = role.and_then(|(_, value)| value.parse().ok()).unwrap_or_default();
    let is_usual = matches!(role, Role::Started | Role::Unpromoted);
    (operation.name.clone(), if is_usual { Role::Unknown } else { role })
}
