-- The node that admission expected a job to run on. Kubernetes is asked to prefer it and may choose another of its pool.
alter table jobs add column planned_node text;
